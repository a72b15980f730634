//! What the edge answers itself: a page for people, a problem document (RFC 9457) for programs.

use askama::Template;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;

use crate::state::{Closure, Notice};

/// The page reloads no more often and no less often than this, in seconds, whatever `Retry-After` says.
const RELOAD_SECONDS: std::ops::RangeInclusive<u64> = 5..=30;

#[derive(Template)]
#[template(path = "maintenance.html")]
struct MaintenancePage<'a> {
    notice: &'a Notice,
    direction: &'a str,
    reload_seconds: u64,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    title: &'a str,
    sentence: &'a str,
    /// The status code, shown small for whoever is told about it.
    status: u16,
}

/// An answer of the edge itself, other than the closed gate.
pub(crate) struct Message {
    pub status: StatusCode,
    pub code: &'static str,
    pub title: &'static str,
    pub sentence: &'static str,
    pub retry_after_seconds: Option<u64>,
}

/// No tenant has the host.
pub(crate) const UNKNOWN_HOST: Message = Message {
    status: StatusCode::NOT_FOUND,
    code: "unknown-host",
    title: "No site here",
    sentence: "There is no site at this address. Check the spelling of the address.",
    retry_after_seconds: None,
};

/// The request itself cannot be passed on.
pub(crate) const BAD_REQUEST: Message = Message {
    status: StatusCode::BAD_REQUEST,
    code: "bad-request",
    title: "This request cannot be answered",
    sentence: "The request names no path on a site.",
    retry_after_seconds: None,
};

/// The upstream gave no answer.
pub(crate) const BAD_GATEWAY: Message = Message {
    status: StatusCode::BAD_GATEWAY,
    code: "upstream-unavailable",
    title: "The site does not answer",
    sentence: "Something went wrong between this page and the site behind it. Try again in a moment.",
    retry_after_seconds: None,
};

/// The upstream took too long.
pub(crate) const GATEWAY_TIMEOUT: Message = Message {
    status: StatusCode::GATEWAY_TIMEOUT,
    code: "upstream-timeout",
    title: "The site takes too long",
    sentence: "The site did not answer in time. Try again in a moment.",
    retry_after_seconds: None,
};

/// Too many wait at the held gate, or this one waited too long, or the edge stops.
pub(crate) const BUSY: Message = Message {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "gate-held",
    title: "One moment, please",
    sentence: "The site is being switched over and takes requests again in a few seconds.",
    retry_after_seconds: Some(5),
};

/// The answer of a closed gate.
pub(crate) fn closed(closure: &Closure, request: &HeaderMap) -> Response<Bytes> {
    let notice = &closure.message;
    let (kind, body) = if wants_html(request) {
        let page = MaintenancePage {
            notice,
            direction: direction(&notice.language),
            reload_seconds: (closure.retry_after_seconds / 2)
                .clamp(*RELOAD_SECONDS.start(), *RELOAD_SECONDS.end()),
        };
        (HTML, page.render().unwrap_or_else(|_| notice.title.clone()))
    } else {
        let problem = json!({
            "type": "about:blank",
            "title": notice.title,
            "status": StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            "detail": notice.sentence,
            "code": "gate-closed",
            "since": closure.since,
            "retry_after_seconds": closure.retry_after_seconds,
        });
        (PROBLEM, problem.to_string())
    };
    let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, kind, body);
    response.headers_mut().insert(header::RETRY_AFTER, closure.retry_after_seconds.into());
    if let Ok(language) = HeaderValue::from_str(&notice.language) {
        response.headers_mut().insert(header::CONTENT_LANGUAGE, language);
    }
    response
}

/// Another answer of the edge itself.
pub(crate) fn message(message: &Message, request: &HeaderMap) -> Response<Bytes> {
    let (kind, body) = if wants_html(request) {
        let page =
            MessagePage { title: message.title, sentence: message.sentence, status: message.status.as_u16() };
        (HTML, page.render().unwrap_or_else(|_| message.title.to_owned()))
    } else {
        let problem = json!({
            "type": "about:blank",
            "title": message.title,
            "status": message.status.as_u16(),
            "detail": message.sentence,
            "code": message.code,
        });
        (PROBLEM, problem.to_string())
    };
    let mut response = answer(message.status, kind, body);
    if let Some(seconds) = message.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

const HTML: &str = "text/html; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"),
    );
    response
}

/// People's browsers name `text/html` when they open a page; programs do not.
fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let refused = parts.any(|parameter| {
                let quality = parameter.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
                quality.is_some_and(|quality| quality <= 0.0)
            });
            !refused
                && (kind.eq_ignore_ascii_case("text/html")
                    || kind.eq_ignore_ascii_case("application/xhtml+xml"))
        })
}

/// The writing direction of a language, from its primary subtag.
fn direction(language: &str) -> &'static str {
    let primary = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    match primary.as_str() {
        "ar" | "arc" | "ckb" | "dv" | "fa" | "he" | "ks" | "ps" | "sd" | "ug" | "ur" | "yi" => "rtl",
        _ => "ltr",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn people_get_html_and_programs_a_problem() {
        for people in
            ["text/html", "application/json, TEXT/HTML;q=0.5", "text/html,application/xhtml+xml,*/*;q=0.8"]
        {
            assert!(wants_html(&accepting(people)), "{people}");
        }
        for programs in ["*/*", "application/json", "text/html;q=0", "text/plain"] {
            assert!(!wants_html(&accepting(programs)), "{programs}");
        }
        assert!(!wants_html(&HeaderMap::new()));
    }

    #[test]
    fn the_notice_is_text_and_never_markup() {
        let closure = Closure {
            message: Notice {
                language: "ar\"><script>".into(),
                title: "<script>alert(1)</script>".into(),
                sentence: "a & b".into(),
                reload: "\"'".into(),
            },
            retry_after_seconds: 120,
            since: jiff::Timestamp::UNIX_EPOCH,
            run: Some("run-1".into()),
        };
        let response = closed(&closure, &accepting("text/html"));
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(!body.contains("<script"), "{body}");
        assert!(body.contains("a &#38; b"), "{body}");
        assert!(body.contains("http-equiv=\"refresh\" content=\"30\""), "{body}");
        assert_eq!(response.headers()["retry-after"], "120");
        assert!(!body.contains("run-1"), "the run is nobody's business outside");
    }

    #[test]
    fn right_to_left_languages_are_laid_out_so() {
        assert_eq!(direction("ar-EG"), "rtl");
        assert_eq!(direction("pt-BR"), "ltr");
    }
}
