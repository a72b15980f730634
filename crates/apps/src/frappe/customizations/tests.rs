//! Rows of a small site, gathered, compared, written as fixtures and told.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use eclusa_model::{FingerprintKey, StackName, TenantName};
use eclusa_ports::Row;
use serde_json::{Value, json};

use super::*;

fn key() -> FingerprintKey {
    FingerprintKey::new([7; 32])
}

fn taken() -> Taken {
    Taken {
        stack: StackName::new("erp").unwrap(),
        tenant: TenantName::new("a.example.org").unwrap(),
        at: "2026-11-25T20:31:34.123456Z".parse().unwrap(),
        release: Some("v15.2".to_owned()),
    }
}

/// Rows for [`gather`] by table; a table that is not named is not there.
fn gathered(tables: &Value) -> Customizations {
    let rows = wanted()
        .iter()
        .map(|wanted| {
            let rows = tables.get(wanted.table.strip_prefix("tab").unwrap())?.as_array().unwrap();
            let fits = |row: &&Value| {
                wanted.only.iter().all(|(column, texts)| {
                    row.get(column).is_none_or(|value| {
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        texts.contains(&text)
                    })
                })
            };
            Some(rows.iter().filter(fits).map(|row| row.as_object().unwrap().clone()).collect::<Vec<Row>>())
        })
        .collect();
    gather(taken(), rows, &key())
}

fn scene() -> Value {
    json!({
        "Custom Field": [
            {"name": "Customer-vat", "dt": "Customer", "fieldname": "vat", "is_system_generated": 0, "modified": "2026-01-02 03:04:05.000006", "modified_by": "anna@example.org", "_user_tags": ",x"},
            {"name": "Customer-made", "dt": "Customer", "fieldname": "made", "is_system_generated": 1},
        ],
        "Server Script": [{"name": "Check", "script_type": "API", "script": "x = 1\n\nif x:\n\tfrappe.throw('``` no')\n", "modified_by": "anna@example.org"}],
        "Webhook": [{"name": "HOOK-1", "webhook_doctype": "Customer", "webhook_secret": "tell-nobody", "request_url": "https://u:pw@hooks.example.org/services/T0/secret?token=x"}],
        "Webhook Header": [{"name": "r1", "parent": "HOOK-1", "parenttype": "Webhook", "parentfield": "webhook_headers", "idx": 1, "key": "Authorization", "value": "Bearer tell-nobody"}],
        "Workflow": [{"name": "Approval", "document_type": "Sales Invoice", "is_active": 1, "modified": "2026-01-01 00:00:00"}],
        "Workflow Document State": [
            {"name": "h2", "parent": "Approval", "parenttype": "Workflow", "parentfield": "states", "idx": 2, "state": "Approved", "doc_status": "1", "allow_edit": "Manager"},
            {"name": "h1", "parent": "Approval", "parenttype": "Workflow", "parentfield": "states", "idx": 1, "state": "Draft", "doc_status": "0", "allow_edit": "All"},
            {"name": "h9", "parent": "Gone", "parenttype": "Workflow", "parentfield": "states", "idx": 1, "state": "Lost"},
        ],
        "Role Profile": [{"name": "Sales", "role_profile": "Sales"}],
        "Has Role": [
            {"name": "q1", "parent": "Sales", "parenttype": "Role Profile", "parentfield": "roles", "idx": 1, "role": "Sales User"},
            {"name": "q2", "parent": "anna@example.org", "parenttype": "User", "parentfield": "roles", "idx": 1, "role": "System Manager"},
        ],
        "Custom DocPerm": [
            {"name": "aaa", "parent": "Customer", "role": "Guest", "permlevel": 0, "if_owner": 0, "read": 1},
        ],
    })
}

#[test]
fn what_is_kept_has_a_stable_order_and_no_secret() {
    let found = gathered(&scene());
    insta::assert_snapshot!("customizations", serde_json::to_string_pretty(&found).unwrap());
    let text = serde_json::to_string(&found).unwrap();
    for secret in ["tell-nobody", "services/T0", "u:pw", "token=x", "_user_tags"] {
        assert!(!text.contains(secret), "{secret}");
    }
    // It comes back as it was.
    assert_eq!(serde_json::from_str::<Customizations>(&text).unwrap(), found);
}

#[test]
fn what_a_migration_touches_by_itself_is_no_difference() {
    let mut scene = scene();
    let before = gathered(&scene);
    let field = &mut scene["Custom Field"][0];
    field["modified"] = json!("2027-01-01 00:00:00");
    field["modified_by"] = json!("Administrator");
    field["idx"] = json!(7);
    // A column that the release brings, with what nobody filled in.
    field["show_dashboard"] = json!(0);
    field["placeholder"] = Value::Null;
    // The rows below get new names, and the table gives them in another order.
    let states = scene["Workflow Document State"].as_array_mut().unwrap();
    states[0]["name"] = json!("zz");
    states.reverse();
    scene["Custom DocPerm"][0]["name"] = json!("bbb");
    assert_eq!(Difference::between(&before, &gathered(&scene)).lines(), Vec::<String>::new());
}

#[test]
fn what_people_changed_is_a_difference_to_the_field() {
    let before = gathered(&scene());
    let mut scene = scene();
    scene["Custom Field"][0]["fieldtype"] = json!("Link");
    scene["Server Script"] = json!([]);
    scene["Workflow Document State"][0]["allow_edit"] = json!("Accounts");
    scene["Workflow Document State"][1]["doc_status"] = json!("1");
    scene["Webhook"][0]["webhook_secret"] = json!("another");
    scene["Role"] = json!([{"name": "Auditor", "role_name": "Auditor", "modified_by": "b@example.org"}]);
    let difference = Difference::between(&before, &gathered(&scene));
    assert_eq!(
        difference.lines(),
        [
            "~ Custom Field Customer-vat: fieldtype",
            "+ Role Auditor",
            "- Server Script Check",
            "~ Webhook HOOK-1: webhook_secret",
            "~ Workflow Approval: states[Approved / Accounts], states[Approved / Manager], states[Draft / All].doc_status",
        ]
    );
    assert_eq!(difference.documents[1].modified_by.as_deref(), Some("b@example.org"));
    let doc_status = difference.documents[4].fields.last().unwrap();
    assert_eq!((&doc_status.before, &doc_status.after), (&json!("0"), &json!("1")));
}

#[test]
fn the_order_of_rows_counts_by_itself_only() {
    let before = gathered(&scene());
    let mut scene = scene();
    scene["Workflow Document State"][0]["idx"] = json!(0);
    let difference = Difference::between(&before, &gathered(&scene));
    assert_eq!(difference.lines(), ["~ Workflow Approval: states (order)"]);
}

#[test]
fn fixtures_are_what_bench_writes_and_are_read_again_without_a_difference() {
    let found = gathered(&scene());
    let files = fixtures(&found, &FixtureFilter::default());
    let names: Vec<&str> = files.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(
        names,
        [
            "custom_docperm.json",
            "custom_field.json",
            "role_profile.json",
            "server_script.json",
            "webhook.json",
            "workflow.json"
        ]
    );
    insta::assert_snapshot!("fixture_workflow", files.last().unwrap().text);
    insta::assert_snapshot!("hooks", hooks_lines(&files));
    assert_eq!(
        files[4].without,
        ["HOOK-1: request_url", "HOOK-1: webhook_headers.value", "HOOK-1: webhook_secret"]
    );
    let read: BTreeMap<String, Vec<u8>> =
        files.iter().map(|file| (file.file.clone(), file.text.clone().into_bytes())).collect();
    let (again, only, problems) = read_fixtures(&read, &found);
    assert_eq!((only.len(), problems.len()), (6, 0));
    let mut site = found.clone();
    site.documents.retain(|doctype, _| only.contains(doctype));
    assert_eq!(Difference::between(&again, &site).lines(), Vec::<String>::new());
    assert_eq!(Difference::between(&site, &again).lines(), Vec::<String>::new());
}

#[test]
fn only_what_a_filter_names_goes_into_files() {
    let found = gathered(&scene());
    let of = |doctype: &str| FixtureFilter { doctypes: vec![doctype.to_owned()], module: None };
    assert_eq!(fixtures(&found, &of("Custom Field"))[0].names, ["Customer-vat"]);
    let by_module = FixtureFilter { module: Some("Selling".to_owned()), ..of("Custom Field") };
    assert_eq!(fixtures(&found, &by_module)[0].text, "[]");
}

#[test]
fn files_that_are_no_fixtures_are_named() {
    let found = gathered(&scene());
    let files = BTreeMap::from([
        ("a.json".to_owned(), b"{}".to_vec()),
        ("b.json".to_owned(), br#"[{"doctype": "Item Group", "name": "x"}]"#.to_vec()),
        ("c.json".to_owned(), br#"[{"doctype": "Print Format", "name": "x", "standard": "Yes"}]"#.to_vec()),
    ]);
    let (read, only, problems) = read_fixtures(&files, &found);
    assert_eq!(
        problems,
        [
            ("a.json".to_owned(), FixtureProblem::Unreadable("a.json".to_owned())),
            ("b.json".to_owned(), FixtureProblem::NotCompared("Item Group".to_owned(), 1)),
        ]
    );
    assert_eq!((read.count(), only.contains("Print Format")), (0, true));
}

#[test]
fn the_report_shows_who_changed_what_and_how_scripts_begin() {
    let mut scene = scene();
    scene["Custom Field"][0]["name"] = json!("a|b <script> `x`");
    insta::assert_snapshot!("report", markdown(&gathered(&scene), &eclusa_fault::Language::default()));
}

#[test]
fn every_kind_stands_there_once() {
    let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.doctype).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
}
