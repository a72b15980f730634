//! A person's path through the application: sign in, see lists, open what is in them, sign out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::{HttpAnswer, HttpRequest};
use eclusa_runbook::{EnvironmentValue, Evidence, ProbeRoute, SignIn, Visit};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::fact;
use super::probes::base;
use crate::context::Context;

/// A server that has just begun is asked again so often.
const ATTEMPTS: u32 = 3;

/// One person's requests.
struct Visitor<'a> {
    context: &'a Context,
    host: &'a str,
    base: String,
    cookie: Option<SecretString>,
}

impl Visitor<'_> {
    async fn send(
        &self,
        path: &str,
        form: Option<Vec<(String, SecretString)>>,
    ) -> std::result::Result<HttpAnswer, String> {
        let request = HttpRequest {
            host: self.host.to_owned(),
            path: path.to_owned(),
            form,
            cookie: self.cookie.clone(),
        };
        let answer = self.context.ports.http.exchange(&request, &self.base).await?;
        if answer.status == 200 { Ok(answer) } else { Err(format!("status {}, not 200", answer.status)) }
    }

    async fn json(&self, path: &str) -> std::result::Result<Value, String> {
        let answer = self.send(path, None).await?;
        serde_json::from_slice(&answer.body).map_err(|_| "an answer that is no JSON".to_owned())
    }

    /// The list and its first entry; gives that entry's name.
    async fn visit(&self, visit: &Visit) -> std::result::Result<Option<String>, String> {
        let list = self.json(&visit.list).await.map_err(|problem| format!("the list: {problem}"))?;
        let name = match list.pointer(&visit.pointer) {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Number(name)) => name.to_string(),
            Some(_) => return Err("the list: an entry without a name".to_owned()),
            None => return Ok(None),
        };
        let path = format!("{}{}", visit.open, encoded(&name));
        self.json(&path).await.map_err(|problem| format!("{name:?}: {problem}"))?;
        Ok(Some(name))
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes()
        .map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What is sent back of the cookies that were set.
fn cookies(answer: &HttpAnswer) -> Option<SecretString> {
    let pairs: Vec<&str> = answer.cookies.iter().map(ExposeSecret::expose_secret).collect();
    (!pairs.is_empty()).then(|| SecretString::from(pairs.join("; ")))
}

pub(super) async fn ask(
    context: &Context,
    tenant: &TenantName,
    host: &str,
    sign_in: &SignIn,
    visits: &[Visit],
    route: ProbeRoute,
) -> Result<Evidence> {
    let form: BTreeMap<String, SecretString> = context.environment(&sign_in.form)?;
    let who = sign_in.form.values().find_map(|value| match value {
        EnvironmentValue::Plain(text) => Some(text.clone()),
        EnvironmentValue::Secret(_) => None,
    });
    let mut visitor = Visitor { context, host, base: base(context, route).await?, cookie: None };
    let mut evidence = Evidence::default();
    let said = |good: bool, id: &str, began: Instant, problem: &str| {
        let text = Message::new(id)
            .with("tenant", tenant)
            .with("user", who.as_deref().unwrap_or("–"))
            .with("milliseconds", began.elapsed().as_millis())
            .with("problem", problem);
        fact(good, text)
    };
    let began = Instant::now();
    let mut answer = Err(String::new());
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let pairs = form.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        answer = visitor.send(&sign_in.path, Some(pairs)).await;
        if answer.is_ok() {
            break;
        }
    }
    let cookie = match answer {
        Ok(answer) => cookies(&answer).ok_or_else(|| "no cookie came back".to_owned()),
        Err(problem) => Err(problem),
    };
    match cookie {
        Ok(cookie) => visitor.cookie = Some(cookie),
        Err(problem) => {
            evidence.facts.push(said(false, "fact-sign-in-refused", began, &problem));
            return Ok(evidence);
        }
    }
    evidence.facts.push(said(true, "fact-signed-in", began, ""));
    for visit in visits {
        let began = Instant::now();
        let found = visitor.visit(visit).await;
        let id = match &found {
            Ok(Some(_)) => "fact-visited",
            Ok(None) => "fact-visited-none",
            Err(_) => "fact-visit-failed",
        };
        let text = Message::new(id)
            .with("tenant", tenant)
            .with("name", &visit.name)
            .with("entry", found.as_ref().ok().and_then(Option::as_deref).unwrap_or("–"))
            .with("milliseconds", began.elapsed().as_millis())
            .with("problem", found.as_ref().err().map_or("", String::as_str));
        evidence.facts.push(fact(found.is_ok(), text));
    }
    let began = Instant::now();
    if let Err(problem) = visitor.send(&sign_in.out, None).await {
        // A session that stays open harms nobody; that it does is said.
        evidence.facts.push(said(true, "fact-not-signed-out", began, &problem));
    }
    Ok(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_part_of_the_path() {
        assert_eq!(encoded("SINV-0001"), "SINV-0001");
        assert_eq!(encoded("Größe/../x?y#z "), "Gr%C3%B6%C3%9Fe%2F..%2Fx%3Fy%23z%20");
    }

    #[test]
    fn cookies_are_sent_back_together() {
        let answer = |pairs: &[&str]| HttpAnswer {
            status: 200,
            cookies: pairs.iter().map(|pair| SecretString::from((*pair).to_owned())).collect(),
            body: Vec::new(),
        };
        let sent = cookies(&answer(&["sid=1", "user_id=x"]));
        assert_eq!(sent.as_ref().map(|sent| sent.expose_secret()), Some("sid=1; user_id=x"));
        assert!(cookies(&answer(&[])).is_none());
    }
}
