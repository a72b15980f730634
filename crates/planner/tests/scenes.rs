//! Every scene's plan is as its golden text says, or its refusal; the same scene gives the same plan.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Scene, text};

#[test]
fn scenes() {
    let directory = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenes"));
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "scene"));
    paths.sort();
    for path in &paths {
        let scene = Scene::read(path);
        let shown = match scene.plan() {
            Ok(plan) => {
                let again = Scene::read(path).plan().unwrap();
                assert_eq!(plan, again, "the same input gives the same plan");
                assert_eq!(plan.digest().unwrap(), again.digest().unwrap());
                let read: eclusa_runbook::Plan =
                    serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
                assert_eq!(plan, read, "a plan survives its JSON");
                assert_eq!(plan.digest().unwrap(), read.digest().unwrap(), "and so does its digest");
                text(&plan)
            }
            Err(fault) => {
                let refused =
                    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("refused-"));
                assert!(refused, "{}: {fault}", path.display());
                format!("{:?}\n{fault}\n", fault.code)
            }
        };
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        insta::assert_snapshot!(name, shown);
    }
    assert!(paths.len() > 30, "{} scenes were found", paths.len());
}

/// When it is made does not matter; what it is made from does.
#[test]
fn a_digest_is_of_what_is_planned() {
    let read = || {
        Scene::read(std::path::Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/scenes/release-schema.scene"
        )))
    };
    let digest = |scene: &Scene| scene.plan().unwrap().digest().unwrap();
    let same = digest(&read());
    let mut later = read().plan().unwrap();
    later.made_at = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(later.digest().unwrap(), same);
    let mut other = read();
    other.seen.edge = false;
    assert_ne!(digest(&other), same);
    let mut other = read();
    other.seen.candidate.as_mut().unwrap().migrations.as_mut().unwrap().push("sales.0003_more".to_owned());
    assert_ne!(digest(&other), same);
}
