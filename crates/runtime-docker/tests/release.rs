//! Observing, preparing, switching and going back, on a real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use eclusa_fault::Code;
use eclusa_model::{FilesPlace, Health, ReleaseSource, ServiceState};
use eclusa_ports::{NoOutput, OutputLines, Runtime, Took};
use eclusa_runbook::{Outputs, RuntimeOperation};
use eclusa_runtime_docker::{ComposeRuntime, DockerDoors, Engine, StackSource, inspect, unpinned_services};
use jiff::Timestamp;
use support::{TestProject, both, context, run, service, switch};

fn files() -> FilesPlace {
    FilesPlace::Service { name: "media".into(), service: service("web"), path: "/srv/media/sub".into() }
}

#[tokio::test]
async fn a_release_goes_there_and_back() {
    let project = TestProject::new("release");
    let runtime = project.runtime();

    // Nothing was ever started.
    let bare = runtime.observe().await.unwrap();
    assert_eq!(bare.services.len(), 2);
    assert!(bare.services.iter().all(|found| found.state == ServiceState::Absent));
    assert!(bare.files.keys().any(|path| path.ends_with("/compose.yml")), "{:?}", bare.files.keys());
    assert!(bare.files.keys().any(|path| path.ends_with("/.env.prod")));

    // Someone runs it by hand, from a work tree that holds v1.
    std::fs::write(project.shop().join("VERSION"), "v1").unwrap();
    project.compose(&["up", "-d", "--build", "--wait"]);
    std::fs::write(project.shop().join("VERSION"), "not committed").unwrap();
    let found = runtime.observe().await.unwrap();
    let first = found.release.clone().unwrap();
    assert_eq!((first.name.as_str(), &first.source), ("v1", &ReleaseSource::Found));
    let web = &found.services[0];
    assert_eq!((web.name.as_str(), web.state, web.health), ("web", ServiceState::Running, Health::Healthy));
    assert_eq!(web.release, None);
    assert!(web.started_at.unwrap() > Timestamp::UNIX_EPOCH);
    assert_eq!(first.images[&service("web")].id, *web.image_id.as_ref().unwrap());
    assert_eq!(first.images[&service("worker")].id, *web.image_id.as_ref().unwrap());

    // The second release is built from its commit, not from the work tree.
    let index = std::fs::read(project.directory.path().join("repository/.git/index")).unwrap();
    let lines = OutputLines::default();
    let second = project.release("v2");
    assert!(!runtime.image_present(&second).await.unwrap());
    let prepare = RuntimeOperation::Prepare { release: second.clone() };
    let prepared = runtime.apply(&prepare, &context(Outputs::new()), &lines).await.unwrap();
    assert!(runtime.image_present(&second).await.unwrap());
    assert!(!lines.lines().is_empty(), "the build's output was not passed on");
    assert_eq!(prepared["image.web"], prepared["image.worker"], "one image, two services");
    assert!(
        prepared["reference.web"].starts_with(&format!("eclusa/{}-web:sha-", project.name)),
        "{prepared:?}"
    );
    assert_eq!(index, std::fs::read(project.directory.path().join("repository/.git/index")).unwrap());
    assert_eq!(std::fs::read_dir(project.directory.path().join("state/checkouts")).unwrap().count(), 0);
    assert_eq!(
        runtime.observe().await.unwrap().release.unwrap(),
        first,
        "preparing changes nothing that runs"
    );

    let there = switch(second.clone());
    assert_eq!(runtime.took_effect(&there, &context(prepared.clone())).await.unwrap(), Took::No);
    runtime.apply(&there, &context(prepared.clone()), &NoOutput).await.unwrap();
    assert_eq!(runtime.took_effect(&there, &context(prepared.clone())).await.unwrap(), Took::Yes);
    let public = runtime.public_address().await.unwrap();
    assert_eq!(public, format!("http://127.0.0.1:{}", project.port));
    assert_eq!(runtime.side_door().await.unwrap(), public, "there is no edge");
    assert_eq!(project.answer(&public), "v2");
    let built = project.compose(&["exec", "-T", "web", "cat", "/build"]);
    assert_eq!(built, format!("v2 {}", project.commit("v2")), "the build variables");
    let now = runtime.observe().await.unwrap();
    assert_eq!(now.release.as_ref().unwrap().name, "v2");
    assert_eq!(now.services[0].release.as_deref(), Some("v2"));
    assert!(unpinned_services(&now).is_empty());
    assert_eq!(now.files, found.files, "the generated override is no file of the user's");

    // The tag of the first release is moved away, as a careless build would; the way back does not need it.
    run(&["docker", "rmi", &format!("{}-app:v1", project.name)], project.directory.path());
    runtime.apply(&switch(first.clone()), &context(Outputs::new()), &NoOutput).await.unwrap();
    assert_eq!(project.answer(&public), "v1");
    assert_eq!(runtime.observe().await.unwrap().release.unwrap(), first);

    // Pinned and left stopped, then started.
    let stopped =
        RuntimeOperation::Switch { to: second.clone(), services: both(), start: false, healthy_within: 1 };
    runtime.apply(&stopped, &context(prepared.clone()), &NoOutput).await.unwrap();
    assert_eq!(runtime.took_effect(&stopped, &context(prepared.clone())).await.unwrap(), Took::Yes);
    assert!(
        runtime.observe().await.unwrap().services.iter().all(|found| found.state == ServiceState::Absent)
    );
    assert_eq!(runtime.public_address().await.unwrap(), public, "also while nothing runs");
    let media = runtime
        .files_directory(&FilesPlace::Service {
            name: "media".into(),
            service: service("web"),
            path: "/srv/media".into(),
        })
        .await
        .unwrap();
    std::fs::create_dir(media.join("sub")).unwrap();
    assert_eq!(
        runtime.files_directory(&files()).await.unwrap(),
        media.join("sub"),
        "also without a container"
    );
    let start = RuntimeOperation::Start { services: both(), healthy_within: 40 };
    assert_eq!(runtime.took_effect(&start, &context(Outputs::new())).await.unwrap(), Took::No);
    runtime.apply(&start, &context(Outputs::new()), &NoOutput).await.unwrap();
    assert_eq!(runtime.took_effect(&start, &context(Outputs::new())).await.unwrap(), Took::Yes);
    assert_eq!(project.answer(&public), "v2");

    // Someone types `docker compose up` without the override.
    run(
        &["docker", "tag", &first.images[&service("web")].reference, &format!("{}-app:v1", project.name)],
        project.directory.path(),
    );
    project.compose(&["up", "-d", "--wait"]);
    let unpinned = unpinned_services(&runtime.observe().await.unwrap());
    assert_eq!(unpinned, both());
    runtime.apply(&start, &context(Outputs::new()), &NoOutput).await.unwrap();
    assert!(unpinned_services(&runtime.observe().await.unwrap()).is_empty(), "starting repairs it");

    // Stopping, and letting the first release go.
    let stop = RuntimeOperation::Stop { services: vec![service("worker")], drain: 5 };
    runtime.apply(&stop, &context(Outputs::new()), &NoOutput).await.unwrap();
    assert_eq!(runtime.took_effect(&stop, &context(Outputs::new())).await.unwrap(), Took::Yes);
    let kept = &first.images[&service("web")].reference;
    assert!(images(&project).contains(kept));
    runtime
        .apply(&RuntimeOperation::LetGo { release: first.clone() }, &context(Outputs::new()), &NoOutput)
        .await
        .unwrap();
    assert!(!images(&project).contains(kept));
    let mut running = second.clone();
    running.images = runtime.observe().await.unwrap().release.unwrap().images;
    runtime
        .apply(&RuntimeOperation::LetGo { release: running }, &context(Outputs::new()), &NoOutput)
        .await
        .unwrap();
    assert!(images(&project).contains(&prepared["reference.web"]), "what runs is kept");
}

fn images(project: &TestProject) -> String {
    run(&["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], project.directory.path())
}

#[tokio::test]
async fn what_does_not_become_healthy_is_known_at_once() {
    let project = TestProject::new("sick");
    let runtime = project.runtime();
    project.release_to(&runtime, "v1").await.unwrap();
    let good = runtime.observe().await.unwrap().release.unwrap();

    let sick = project.release_to(&runtime, "sick").await.unwrap_err();
    assert_eq!(sick.code, Code::ServiceUnhealthy);
    assert_eq!((sick.args["service"].as_str(), sick.args["found"].as_str()), ("web", "unhealthy"));
    assert!(sick.causes.iter().any(|line| line.contains("starting sick")), "{sick:?}");

    let begun = std::time::Instant::now();
    let crash = project.release_to(&runtime, "crash").await.unwrap_err();
    assert_eq!(crash.code, Code::ServiceUnhealthy);
    assert!(crash.causes.iter().any(|line| line.contains("fatal: no such column")), "{crash:?}");
    assert!(begun.elapsed().as_secs() < 30, "it was waited for, although it was restarting over and over");

    runtime.apply(&switch(good), &context(Outputs::new()), &NoOutput).await.unwrap();
    assert_eq!(project.answer(&runtime.public_address().await.unwrap()), "v1");
    let lines =
        runtime.logs(&[service("web"), service("worker")], Timestamp::UNIX_EPOCH, 1000).await.unwrap();
    assert!(lines.iter().any(|line| line.text == "starting v1"), "{lines:?}");
    assert!(lines.iter().any(|line| line.text == "working" && line.service == service("worker")));
    assert!(lines.is_sorted_by_key(|line| line.at));
    let last = lines.last().unwrap().at;
    let later = last.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap();
    assert_eq!(runtime.logs(&[service("worker")], later, 10).await.unwrap(), []);
    assert_eq!(runtime.logs(&both(), Timestamp::UNIX_EPOCH, 1).await.unwrap().len(), 1);
    let stats = runtime.stats(&both()).await.unwrap();
    assert_eq!(stats.len(), 2);
    assert!(stats.iter().all(|found| found.memory_bytes > 1_000_000 && found.cpu < 8.0), "{stats:?}");
}

#[tokio::test]
async fn an_image_tag_of_the_env_file_is_a_release_too() {
    let project = TestProject::new("tag");
    let mut stack = project.stack();
    stack.source = StackSource::Image { variable: "TAG".into() };
    std::fs::create_dir_all(&stack.state_directory).unwrap();
    let runtime = ComposeRuntime::new(stack, DockerDoors::new(project.host.clone()));
    std::fs::write(project.shop().join("VERSION"), "v2").unwrap();
    run(&["docker", "build", "-q", "-t", &format!("{}-app:2.0", project.name), "."], &project.shop());

    let mut release = project.release("v2");
    release.name = "2.0".into();
    release.source = ReleaseSource::Image { variable: "TAG".into() };
    let prepared = runtime
        .apply(&RuntimeOperation::Prepare { release: release.clone() }, &context(Outputs::new()), &NoOutput)
        .await
        .unwrap();
    assert_eq!(
        prepared.keys().collect::<Vec<_>>(),
        ["image.web", "image.worker", "reference.web", "reference.worker"]
    );
    runtime.apply(&switch(release.clone()), &context(prepared), &NoOutput).await.unwrap();
    assert_eq!(project.answer(&runtime.public_address().await.unwrap()), "v2");

    release.name = "9.9".into();
    let missing = runtime
        .apply(&RuntimeOperation::Prepare { release }, &context(Outputs::new()), &NoOutput)
        .await
        .unwrap_err();
    assert_eq!(missing.code, Code::ImageMissing);
    assert_eq!(missing.args["image"], format!("{}-app:9.9", project.name));
}

#[tokio::test]
async fn a_build_that_fails_says_where_its_output_is() {
    let project = TestProject::new("build");
    std::fs::write(
        project.shop().join("Dockerfile"),
        "FROM python:3.11-slim-bookworm\nRUN echo no such wheel; exit 7\n",
    )
    .unwrap();
    run(
        &["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "broken"],
        &project.shop(),
    );
    run(&["git", "tag", "broken"], &project.shop());
    let runtime = project.runtime();
    let fault = project.release_to(&runtime, "broken").await.unwrap_err();
    assert_eq!(fault.code, Code::BuildFailed);
    let log = std::fs::read_to_string(&fault.args["log"]).unwrap();
    assert!(log.contains("no such wheel"), "{log}");
    assert_eq!(std::fs::read_dir(project.directory.path().join("state/checkouts")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_project_is_inspected_from_its_files_alone() {
    let project = TestProject::new("inspect");
    let env_file = project.shop().join(".env.prod");
    let files = [project.shop().join("compose.yml")];
    let model = inspect::inspect_project(
        &files,
        std::slice::from_ref(&env_file),
        &project.shop(),
        project.host.clone(),
    )
    .await
    .unwrap();
    assert_eq!(model.name, project.name);
    let web = &model.services["web"];
    assert_eq!(web.image.as_deref(), Some(format!("{}-app:v1", project.name).as_str()));
    assert_eq!(web.image_variables, ["TAG"]);
    assert_eq!(web.build.as_ref().unwrap().context, project.shop().display().to_string());
    assert_eq!(web.entrypoint.as_deref().unwrap(), ["python", "app.py"]);
    assert_eq!(web.environment["FROM_ENV_FILE"], inspect::VariableModel::Plain("yes".into()));
    assert_eq!(web.environment["WORD"], inspect::VariableModel::Plain("hunter2$x".into()));
    assert_eq!((web.ports[0].published.clone(), web.ports[0].target), (project.port.to_string(), 8000));
    assert_eq!((web.mounts[0].source.as_str(), web.mounts[0].target.as_str()), ("media", "/srv/media"));
    assert_eq!(model.volumes["media"], format!("{}_media", project.name));
    assert!(web.healthcheck.as_ref().unwrap().join(" ").contains("urllib"));
    assert!(
        project.host.seen.lock().unwrap().iter().all(|argv| argv[..2] == ["docker", "compose"]),
        "only Compose is asked"
    );
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_named() {
    let project = TestProject::new("unreachable");
    for endpoint in ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"] {
        let engine = Engine::at(project.host.clone(), endpoint);
        let fault =
            ComposeRuntime::new(project.stack(), DockerDoors::with_engine(project.host.clone(), engine))
                .observe()
                .await
                .unwrap_err();
        assert_eq!((fault.code, fault.args["endpoint"].as_str()), (Code::DockerUnreachable, endpoint));
        assert!(!fault.causes.is_empty());
    }
}

#[tokio::test]
async fn files_that_do_not_resolve_are_shown_as_compose_sees_them() {
    let project = TestProject::new("invalid");
    std::fs::write(project.shop().join("compose.yml"), "services:\n  web:\n    imagine: x\n").unwrap();
    let fault = project.runtime().observe().await.unwrap_err();
    assert_eq!(fault.code, Code::ComposeInvalid);
    assert!(fault.causes.iter().any(|cause| cause.contains("imagine")), "{fault:?}");
}
