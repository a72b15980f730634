//! Keys that a stack key wraps, through the command line: Debian's `age` and `restic` judge what opens what.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{IDENTITY, RECIPIENT, Ran, Setting, Shop};

/// The shop with restore points of both tenants and a mirror that has them.
fn shop_with_points(prepare: impl FnOnce(&Shop)) -> Shop {
    let shop = Shop::lay(&Setting::default());
    prepare(&shop);
    shop.run(&["release", "v1", "--yes"]).must(0);
    fs::create_dir(shop.configure_mirror()).unwrap();
    shop.run(&["backup"]).must(0);
    shop.run(&["mirror"]).must(0);
    shop
}

/// Has Debian's `age-keygen` make a key, outside of the state directory.
fn make_stack_key(shop: &Shop, name: &str) -> PathBuf {
    let path = shop.directory.join("elsewhere").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let ran = Command::new("age-keygen").arg("-o").arg(&path).output().expect("age is installed");
    assert!(ran.status.success(), "{ran:?}");
    path
}

/// Names a stack key in the configuration, or none.
fn configure(shop: &Shop, name: Option<&str>) {
    shop.change_configuration(|text| {
        let (before, after) = match text.split_once("\n[stacks.shop.vault]\n") {
            Some((before, after)) => (before.to_owned(), after.split_once('\n').unwrap().1.to_owned()),
            None => (text, String::new()),
        };
        match name {
            Some(name) => {
                let line = format!("stack_key = \"file:elsewhere/{name}\"\n");
                format!("{before}\n[stacks.shop.vault]\n{line}{after}")
            }
            None => format!("{before}\n{after}"),
        }
    });
}

fn keys(shop: &Shop) -> PathBuf {
    shop.state().join("keys/shop")
}

fn key_file(shop: &Shop, tenant: &str) -> PathBuf {
    keys(shop).join(format!("{tenant}.key"))
}

/// What every file with keys holds.
fn all(shop: &Shop) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(keys(shop)).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn is_age(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/v1\n")
}

/// What Debian's `age` makes of a file; `None` when this key does not open it.
fn age(stack_key: &Path, file: &Path) -> Option<Vec<u8>> {
    let ran = Command::new("age").arg("-d").arg("-i").arg(stack_key).arg(file).output().unwrap();
    ran.status.success().then_some(ran.stdout)
}

/// What the documentation says to type, with `age` and `restic` alone.
fn by_hand(stack_key: &Path, key: &Path, repository: &Path, command: &str) -> Output {
    let script = format!(
        "age -d -i '{}' '{}' | restic -r '{}' --no-lock --no-cache --password-file /dev/stdin {command}",
        stack_key.display(),
        key.display(),
        repository.display()
    );
    Command::new("sh").arg("-c").arg(script).output().unwrap()
}

/// The files below a directory in which a text stands.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let found = Command::new("grep").arg("-rlF").arg(text).arg(directory).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn troubles(shop: &Shop) -> String {
    shop.status()["troubles"].to_string()
}

#[test]
fn keys_are_wrapped_from_the_first_backup_on_and_age_and_restic_read_them() {
    let shop = shop_with_points(|shop| {
        make_stack_key(shop, "stack.key");
        configure(shop, Some("stack.key"));
    });
    let stack_key = shop.directory.join("elsewhere/stack.key");
    let (vault, nas) = (shop.state().join("vault/shop/alpha"), shop.directory.join("nas/shop/alpha"));
    let file = key_file(&shop, "alpha");
    assert!(is_age(&fs::read(&file).unwrap()) && is_age(&fs::read(key_file(&shop, "beta")).unwrap()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let read =
        |repository: &Path| by_hand(&stack_key, &key_file(&shop, "alpha"), repository, "check --read-data");
    for repository in [&vault, &nas] {
        let ran = read(repository);
        assert!(ran.status.success(), "{ran:?}");
    }
    let other = make_stack_key(&shop, "other.key");
    assert!(!by_hand(&other, &file, &vault, "snapshots").status.success());
    // Each command that needs a key has it.
    let shown = shop.run(&["keys", "show", "alpha", "--yes"]).must(0);
    let first = shown.out.trim().to_owned();
    assert_eq!(age(&stack_key, &file).unwrap(), format!("{first}\n").as_bytes());
    assert_eq!(files_with(&shop.directory, &first), [""; 0], "the key is nowhere as it is");
    shop.run(&["keys", "ls", "alpha"]).must(0).shows("wrapped by the stack key").shows("alpha.key");
    shop.run(&["drill", "alpha"]).must(0);
    shop.run(&["keys", "rotate", "alpha"]).must(0).shows("nas");
    assert!(all(&shop).values().all(|bytes| is_age(bytes)), "{:?}", all(&shop).keys());
    assert!(keys(&shop).join("alpha.keys-before").exists());
    assert!(by_hand(&stack_key, &file, &vault, "check").status.success());
    shop.run(&["drill", "alpha", "--from", "nas"]).must(0);
    fs::rename(&vault, shop.directory.join("lost")).unwrap();
    shop.run(&["mirror", "alpha", "--from", "nas"]).must(0);
    assert!(by_hand(&stack_key, &file, &vault, "check").status.success());
    shop.run(&["mirror"]).must(0);
    assert!(read(&nas).status.success());
    shop.run(&["keys", "auditor", "add", "kpmg", "alpha", "-o", "kontrolle"]).must(0);
    let given = shop.directory.join("kontrolle");
    let opens = |given: &Path| {
        let restic = ["--no-lock", "--no-cache", "-r", vault.to_str().unwrap(), "snapshots"];
        Command::new("restic").arg("--password-file").arg(given).args(restic).status().unwrap().success()
    };
    assert!(opens(&given));
    shop.run(&["keys", "auditor", "remove", "kpmg"]).must(0);
    assert!(!opens(&given));
    // An escrow opens without the stack key, and what comes back is wrapped again.
    fs::write(shop.directory.join("identity"), format!("{IDENTITY}\n")).unwrap();
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", RECIPIENT]).must(0);
    let sheet = fs::read_to_string(shop.directory.join("keys.age.recovery.txt")).unwrap();
    assert!(sheet.contains("age -d -i STACK-KEY TENANT.key | restic -r REPOSITORY"), "{sheet}");
    let second = shop.run(&["keys", "show", "alpha", "--yes"]).must(0).out.trim().to_owned();
    assert_ne!(first, second);
    let escrowed = age(&shop.directory.join("identity"), &shop.directory.join("keys.age")).unwrap();
    assert!(String::from_utf8(escrowed).unwrap().contains(&format!("\"password\": \"{second}\"")));
    fs::remove_dir_all(keys(&shop)).unwrap();
    shop.run(&["keys", "recover", "keys.age", "-i", "identity"]).must(0).shows("it opens the repository");
    assert_eq!(age(&stack_key, &file).unwrap(), format!("{second}\n").as_bytes());
    shop.run(&["backup"]).must(0);
    shop.run(&["keys", "wrap"]).must(0).shows("alpha: is wrapped already").shows("beta: is wrapped already");
    // A command that prints keys does not bring them into what is kept of it.
    let printing = format!(
        "\n[[stacks.shop.hooks]]\nname = \"prints\"\nat = \"before.change\"\ncommand = [\"sh\", \"-c\", \
         \"echo it says; cat '{stack_key}'; age -d -i '{stack_key}' '{key}'\"]\n",
        stack_key = stack_key.display(),
        key = file.display()
    );
    shop.change_configuration(|text| text + &printing);
    shop.run(&["release", "v2", "--yes"]).must(0);
    assert!(!files_with(&shop.state(), "it says").is_empty(), "the hook was run and its output kept");
    for key in [&first, &second] {
        assert_eq!(files_with(&shop.directory, key), [""; 0], "the key is nowhere as it is");
    }
    // Nothing that was written has the stack key in it.
    let identity = fs::read_to_string(&stack_key).unwrap();
    let identity = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    assert_eq!(files_with(&shop.directory, identity), [stack_key.display().to_string()]);
    assert!(!troubles(&shop).contains("stack-key"), "{}", troubles(&shop));
}

/// Puts every file with keys back as it was.
fn lay(shop: &Shop, files: &BTreeMap<String, Vec<u8>>) {
    for name in all(shop).keys() {
        fs::remove_file(keys(shop).join(name)).unwrap();
    }
    for (name, bytes) in files {
        fs::write(keys(shop).join(name), bytes).unwrap();
        fs::set_permissions(keys(shop).join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Does something to the files as they are now, and kills it, each time some points further on, until it comes to its end. What
/// was killed goes on when it is typed again.
fn killed_everywhere(shop: &Shop, arguments: &[&str], after_death: impl Fn(&Shop), ended: impl Fn(&Shop)) {
    let before = all(shop);
    for at in 1.. {
        let mut command = shop.command(arguments);
        let ran = Ran::of(command.env("ECLUSA_CRASH_AT", format!("*#{at}")));
        if ran.code == 0 {
            ended(shop);
            // Seven in each file that changes.
            let changed = before.iter().filter(|(name, bytes)| all(shop)[*name] != **bytes).count();
            assert!(changed > 1 && at > changed * 7, "killed {at} times, {changed} files");
            return;
        }
        assert_eq!(ran.code, -1, "{ran:?}");
        after_death(shop);
        shop.run(arguments).must(0);
        ended(shop);
        lay(shop, &before);
    }
}

#[test]
fn keys_that_are_there_change_over_whenever_that_is_killed() {
    let shop = shop_with_points(|_| ());
    // Every kind of file: a key before, which a mirror still needs, and one that was put aside.
    shop.run(&["keys", "rotate", "alpha"]).must(0);
    let aside = keys(&shop).join("beta.key-replaced-1700000000");
    fs::write(&aside, "of another machine\n").unwrap();
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o600)).unwrap();
    let plain = all(&shop);
    assert_eq!(plain.len(), 4, "{:?}", plain.keys());
    let (first, second) = (make_stack_key(&shop, "first.key"), make_stack_key(&shop, "second.key"));
    shop.run(&["keys", "wrap"]).must(1).says("no stack key is configured").says("age-keygen -o FILE");
    shop.run(&["status"]).must(0).lacks("eclusa keys wrap");
    configure(&shop, Some("first.key"));
    // What is plain still opens, and it is said.
    shop.run(&["backup"]).must(0);
    assert_eq!(all(&shop), plain);
    assert!(troubles(&shop).contains("trouble-keys-plain"), "{}", troubles(&shop));
    shop.run(&["doctor"]).must(0).shows("lie on the disk as they are").shows("eclusa keys wrap");
    let sound = |shop: &Shop, stack_key: &[&Path]| {
        for (name, text) in &plain {
            let path = keys(shop).join(name);
            let opened = stack_key.iter().find_map(|key| age(key, &path));
            let found = opened.unwrap_or_else(|| fs::read(&path).unwrap());
            assert_eq!(found, *text, "{name}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    };
    let died = |shop: &Shop| {
        sound(shop, &[&first]);
        shop.run(&["backups"]).must(0);
    };
    let wrapped_by = |shop: &Shop, key: &Path, other: &Path| {
        sound(shop, &[key]);
        let found = all(shop);
        assert!(
            found.len() == plain.len() && found.values().all(|bytes| is_age(bytes)),
            "{:?}",
            found.keys()
        );
        assert!(found.keys().all(|name| age(other, &keys(shop).join(name)).is_none()));
    };
    killed_everywhere(&shop, &["keys", "wrap"], died, |shop| wrapped_by(shop, &first, &second));
    let wrapped = all(&shop);
    assert!(!troubles(&shop).contains("trouble-keys-plain"), "{}", troubles(&shop));
    shop.run(&["keys", "wrap"]).must(0).shows("alpha: is wrapped already").shows("beta: is wrapped already");
    assert_eq!(all(&shop), wrapped, "what is wrapped is not written again");
    // The mirror still knows the key before only, which is wrapped now.
    shop.run(&["drill", "alpha", "--from", "nas"]).must(0);
    // Another stack key.
    configure(&shop, Some("second.key"));
    shop.run(&["backups"]).must(1).refused("E0623").says("eclusa keys rewrap --from file:PATH");
    shop.run(&["keys", "wrap"]).must(1).says("error E0623").says("beta: left as it was");
    assert_eq!(all(&shop), wrapped);
    shop.run(&["keys", "rewrap", "--from", "file:elsewhere/second.key"]).must(1).says("error E0623");
    assert_eq!(all(&shop), wrapped);
    let rewrap = ["keys", "rewrap", "--from", "file:elsewhere/first.key"];
    let died = |shop: &Shop| sound(shop, &[&first, &second]);
    killed_everywhere(&shop, &rewrap, died, |shop| wrapped_by(shop, &second, &first));
    let rewrapped = all(&shop);
    shop.run(&["backup"]).must(0);
    shop.run(&rewrap).must(0).shows("alpha: is wrapped already");
    assert_eq!(all(&shop), rewrapped);
    // And back, also when the configuration names it no longer.
    shop.run(&["keys", "unwrap", "beta", "--json"]).must(0).shows("beta.key-replaced-1700000000");
    assert_eq!(fs::read(key_file(&shop, "beta")).unwrap(), plain["beta.key"]);
    assert!(is_age(&fs::read(key_file(&shop, "alpha")).unwrap()));
    configure(&shop, None);
    let unwrap = ["keys", "unwrap", "--from", "file:elsewhere/second.key"];
    shop.run(&["keys", "unwrap"]).must(1).says("error E0623").says("names no stack_key for shop");
    let died = |shop: &Shop| sound(shop, &[&second]);
    killed_everywhere(&shop, &unwrap, died, |shop| assert_eq!(all(shop), plain));
    shop.run(&unwrap).must(0).shows("alpha: is not wrapped");
    shop.run(&["backup"]).must(0);
}

#[test]
fn what_is_wrong_with_a_stack_key_is_said_and_changes_no_key() {
    let shop = shop_with_points(|shop| {
        make_stack_key(shop, "stack.key");
        configure(shop, Some("stack.key"));
    });
    let stack_key = shop.directory.join("elsewhere/stack.key");
    let (good, wrapped) = (fs::read_to_string(&stack_key).unwrap(), all(&shop));
    let refused = |code: &str, why: &str, hint: &str| {
        for command in [&["backups"][..], &["keys", "rotate"], &["keys", "ls"]] {
            shop.run(command).must(1).refused(code).says(why).says(hint).lacks("E0605").lacks("wrong");
        }
        shop.run(&["keys", "show", "alpha", "--yes"]).must(1).says(code).says(why);
        shop.run(&["status"]).must(1).shows(code).shows(why);
        shop.run(&["backup", "alpha"]).must(3).lacks("E0605");
        assert_eq!(all(&shop), wrapped, "no key was changed");
    };
    // Not there, or nothing that is a key.
    fs::remove_file(&stack_key).unwrap();
    refused("E0622", "file:elsewhere/stack.key cannot be used: the file cannot be read", "a copy of it");
    fs::create_dir(&stack_key).unwrap();
    refused("E0622", "the file cannot be read", "eclusa keys recover FILE --replace");
    fs::remove_dir(&stack_key).unwrap();
    for (text, why) in [
        ("# a comment\n".to_owned(), "no line with AGE-SECRET-KEY-1"),
        (good.replace("AGE-SECRET", "AGE-SECRIT"), "neither a comment nor"),
        (format!("{good}{IDENTITY}\n"), "more than one"),
    ] {
        fs::write(&stack_key, &text).unwrap();
        refused("E0622", why, "age-keygen -o FILE");
        let line = text.lines().last().unwrap();
        shop.run(&["backups"]).must(1).lacks(line);
    }
    // Another one, and none.
    fs::write(&stack_key, format!("{IDENTITY}\n")).unwrap();
    refused("E0623", "file:elsewhere/stack.key is not the one that wrapped it", "eclusa keys rewrap --from");
    configure(&shop, None);
    refused("E0623", "eclusa.toml names no stack_key for shop", "stack_key = \"file:PATH\"");
    configure(&shop, Some("stack.key"));
    fs::write(&stack_key, &good).unwrap();
    shop.run(&["backups"]).must(0);
    // A tenant whose file is damaged, or a link, keeps the other from nothing.
    shop.run(&["keys", "unwrap"]).must(0).says("take that line out");
    let plain = all(&shop);
    let mut damaged = wrapped["alpha.key"].clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(key_file(&shop, "alpha"), &damaged).unwrap();
    shop.run(&["backups", "alpha"]).must(1).refused("E0623").says("the file is damaged");
    let ran = shop.run(&["keys", "wrap"]).must(1).says("error E0623").says("State:");
    ran.says("alpha: left as it was").shows("beta: wrapped beta.key");
    fs::remove_file(key_file(&shop, "alpha")).unwrap();
    fs::write(shop.directory.join("linked"), &plain["alpha.key"]).unwrap();
    std::os::unix::fs::symlink(shop.directory.join("linked"), key_file(&shop, "alpha")).unwrap();
    shop.run(&["keys", "wrap", "alpha"]).must(1).says("error E0605").says("it is no regular file");
    assert_eq!(fs::read(shop.directory.join("linked")).unwrap(), plain["alpha.key"]);
    fs::remove_file(key_file(&shop, "alpha")).unwrap();
    fs::write(key_file(&shop, "alpha"), &plain["alpha.key"]).unwrap();
    shop.run(&["keys", "wrap"]).must(0).shows("alpha: wrapped alpha.key");
    // Beside the keys, and open to everybody.
    fs::set_permissions(&stack_key, fs::Permissions::from_mode(0o644)).unwrap();
    fs::copy(&stack_key, shop.state().join("stack.key")).unwrap();
    assert!(troubles(&shop).contains("config-secret-readable"), "{}", troubles(&shop));
    shop.change_configuration(|text| text.replace("file:elsewhere/", "file:state/"));
    assert!(troubles(&shop).contains("trouble-stack-key-beside"), "{}", troubles(&shop));
}

#[test]
fn without_the_stack_key_an_escrow_brings_keys_back_and_an_erasure_destroys_them() {
    let shop = shop_with_points(|shop| {
        make_stack_key(shop, "lost.key");
        configure(shop, Some("lost.key"));
    });
    let lost = shop.directory.join("elsewhere/lost.key");
    fs::write(shop.directory.join("identity"), format!("{IDENTITY}\n")).unwrap();
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", RECIPIENT]).must(0);
    let (before, alpha) = (all(&shop), age(&lost, &key_file(&shop, "alpha")).unwrap());
    let new = make_stack_key(&shop, "new.key");
    configure(&shop, Some("new.key"));
    shop.run(&["backups", "alpha"]).must(1).refused("E0623");
    shop.run(&["keys", "escrow", "-o", "more.age", "--to", RECIPIENT]).must(1).refused("E0623");
    let recover = ["keys", "recover", "keys.age", "alpha", "-i", "identity"];
    shop.run(&recover).must(3).says("wrapped by another stack key").says("--replace");
    assert_eq!(all(&shop), before);
    shop.run(&[&recover[..], &["--replace"]].concat()).must(0).shows("it opens the repository");
    assert_eq!(age(&new, &key_file(&shop, "alpha")).unwrap(), alpha);
    shop.run(&["backups", "alpha"]).must(0);
    // The one before lies beside, as it was.
    let aside = all(&shop).into_iter().find(|(name, _)| name.starts_with("alpha.key-replaced-")).unwrap();
    assert_eq!(aside.1, before["alpha.key"]);
    // An erasure needs no key to be opened: beta's is not, and alpha's is.
    for tenant in ["beta", "alpha"] {
        let erase =
            ["erase", tenant, "--reason", "it ended", "--still-configured", "--yes", "--confirm", tenant];
        let done = shop.run(&[&erase[..], &["--json"]].concat()).must(0).json();
        assert_eq!(done["complete"], true, "{done}");
        assert_eq!(done["keys_destroyed"], if tenant == "alpha" { 2 } else { 1 }, "{done}");
        assert_eq!(done["fingerprint"].is_string(), tenant == "alpha", "{done}");
        assert!(done["escrows"].to_string().contains("keys.age"), "{done}");
        assert!(!shop.state().join("vault/shop").join(tenant).exists());
        assert!(!shop.directory.join("nas/shop").join(tenant).exists());
    }
    assert!(all(&shop).is_empty(), "{:?}", all(&shop).keys());
    shop.run(&["backup"]).must(0);
    assert!(age(&new, &key_file(&shop, "alpha")).is_some());
}
