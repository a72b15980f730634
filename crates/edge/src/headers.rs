//! Headers between two hops: what belongs to one connection only, and what tells the upstream about the first one.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::ForwardedHeaders;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Headers of one connection, besides those that `Connection` names (RFC 9110, section 7.6.1).
const OF_ONE_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The protocol that a request asks to switch to, if it does so properly.
pub(crate) fn asked_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = connection_options(headers).iter().any(|option| option.eq_ignore_ascii_case("upgrade"));
    if named { headers.get(header::UPGRADE).cloned() } else { None }
}

/// Removes what belongs to one connection. `Host` stays even if `Connection` names it: it is the request's target.
pub(crate) fn strip_hop(headers: &mut HeaderMap) {
    for option in connection_options(headers) {
        if let Ok(name) = HeaderName::try_from(option)
            && name != header::HOST
        {
            headers.remove(name);
        }
    }
    for name in OF_ONE_HOP {
        headers.remove(name);
    }
}

/// Asks the next hop for the protocol switch.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// Tells the upstream who asked, by which protocol, and for which host.
pub(crate) fn set_forwarded(
    headers: &mut HeaderMap,
    policy: ForwardedHeaders,
    peer: IpAddr,
    host: &HeaderValue,
) {
    if policy == ForwardedHeaders::Replace {
        for name in [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST] {
            headers.remove(name);
        }
    }
    // Several lines of a list header mean the same as one line with commas, which more upstreams understand.
    let mut line: Vec<u8> = Vec::new();
    for earlier in headers.get_all(FORWARDED_FOR) {
        line.extend_from_slice(earlier.as_bytes());
        line.extend_from_slice(b", ");
    }
    line.extend_from_slice(peer.to_canonical().to_string().as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&line) {
        headers.insert(FORWARDED_FOR, value);
    }
    // An application behaves differently when these are there (Django redirects to https): where they were not there
    // without the edge, they are not there with it.
    if policy == ForwardedHeaders::Replace {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        if !host.is_empty() {
            headers.insert(FORWARDED_HOST, host.clone());
        }
    }
}

fn connection_options(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|option| option.trim().to_owned())
        .filter(|option| !option.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_belongs_to_one_hop_goes_and_the_rest_stays() {
        let mut map = headers(&[
            ("connection", "close, X-Private"),
            ("connection", "Host"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("host", "alpha"),
            ("cookie", "a=1"),
        ]);
        assert_eq!(asked_upgrade(&map), None, "an Upgrade that Connection does not name is none");
        strip_hop(&mut map);
        let mut left: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["cookie", "host"]);
    }

    #[test]
    fn forwarded_headers_are_extended_or_replaced() {
        let given = headers(&[
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
        ]);
        let host = HeaderValue::from_static("alpha:8080");
        let peer: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let mut extended = given.clone();
        set_forwarded(&mut extended, ForwardedHeaders::Extend, peer, &host);
        assert_eq!(extended["x-forwarded-for"], "203.0.113.7, 198.51.100.1, 192.0.2.1");
        assert_eq!(extended["x-forwarded-proto"], "https");
        assert_eq!(extended["x-forwarded-host"], "shop.example");
        let mut replaced = given;
        set_forwarded(&mut replaced, ForwardedHeaders::Replace, peer, &host);
        assert_eq!(replaced["x-forwarded-for"], "192.0.2.1");
        assert_eq!(replaced["x-forwarded-proto"], "http");
        assert_eq!(replaced["x-forwarded-host"], "alpha:8080");
    }
}
