//! Keys of restore points and the erasure of a tenant's copies, through the command line: Debian's `restic` and `age` judge
//! which key opens what.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{IDENTITY, RECIPIENT, Setting, Shop};

/// The shop with restore points of both tenants, and a mirror that knows nothing yet.
fn shop_with_points() -> Shop {
    let shop = Shop::lay(&Setting::default());
    shop.run(&["release", "v1", "--yes"]).must(0);
    fs::create_dir(shop.configure_mirror()).unwrap();
    shop.run(&["backup"]).must(0);
    shop
}

fn key(shop: &Shop, tenant: &str) -> String {
    let path = shop.state().join(format!("keys/shop/{tenant}.key"));
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Whether restic opens a repository with a password, and reads what is in it.
fn opens(repository: &Path, password: &str) -> bool {
    let ran = restic(repository, password, &["--no-cache", "check", "--read-data"]);
    let wrong = String::from_utf8_lossy(&ran.stderr).contains("wrong password or no key found");
    assert!(ran.status.success() || wrong, "{ran:?}");
    ran.status.success()
}

fn restic(repository: &Path, password: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("restic");
    command.env("RESTIC_PASSWORD", password).arg("--no-lock").arg("-r").arg(repository).args(arguments);
    command.output().expect("restic is installed")
}

fn key_files(repository: &Path) -> usize {
    fs::read_dir(repository.join("keys")).map_or(0, Iterator::count)
}

#[test]
fn keys_are_exchanged_and_given_to_auditors_and_restic_agrees() {
    let shop = shop_with_points();
    let (vault, nas) = (shop.state().join("vault/shop/alpha"), shop.directory.join("nas/shop/alpha"));
    shop.run(&["mirror"]).must(0);
    let first = key(&shop, "alpha");
    assert!(opens(&vault, &first) && opens(&nas, &first));
    // A new key opens it, the one before does not; the mirror follows, and can be read meanwhile.
    let ran = shop.run(&["keys", "rotate", "alpha"]).must(0).shows("alpha: new key").shows("nas");
    assert!(!ran.out.contains("beta") && !ran.out.contains(&first));
    let second = key(&shop, "alpha");
    assert_ne!(first, second);
    assert!(opens(&vault, &second) && !opens(&vault, &first));
    assert!(opens(&nas, &first) && !opens(&nas, &second));
    shop.run(&["keys", "ls", "alpha"]).must(0).shows("until the next eclusa mirror").shows("by olga");
    shop.run(&["drill", "alpha", "--from", "nas"]).must(0);
    // A vault that is lost now comes back from the mirror, and the new key opens it.
    fs::rename(&vault, shop.directory.join("lost")).unwrap();
    shop.run(&["mirror", "alpha", "--from", "nas"]).must(0);
    assert!(opens(&vault, &second));
    shop.run(&["mirror"]).must(0);
    assert!(opens(&nas, &second) && !opens(&nas, &first));
    assert!(!shop.state().join("keys/shop/alpha.keys-before").exists());
    shop.run(&["keys", "ls", "alpha"]).must(0).lacks("until the next");
    // An auditor.
    let file = shop.directory.join("kontrolle");
    let path = file.to_str().unwrap();
    shop.run(&["keys", "auditor", "add", "kpmg", "alpha", "-o", path]).must(0).says(path);
    let given = fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(opens(&vault, &given) && opens(&vault, &second));
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    shop.run(&["keys", "auditor", "add", "kpmg", "alpha"]).must(1).says("kpmg has a key of alpha already");
    shop.run(&["keys", "rotate", "alpha"]).must(0);
    assert!(opens(&vault, &given), "the auditor's key is not exchanged");
    shop.run(&["mirror"]).must(0);
    assert!(opens(&nas, &given));
    shop.run(&["keys", "ls"]).must(0).shows("kpmg, since");
    shop.run(&["keys", "auditor", "remove", "kpmg"]).must(0).says("of alpha no longer");
    assert!(!opens(&vault, &given) && opens(&nas, &given));
    shop.run(&["mirror"]).must(0);
    assert!(!opens(&nas, &given) && opens(&nas, &key(&shop, "alpha")));
    shop.run(&["keys", "auditor", "remove", "kpmg"]).must(1).says("kpmg has no key");
    // A key that somebody made with restic is nobody's here.
    let new = shop.directory.join("new");
    fs::write(&new, "of somebody else").unwrap();
    let added =
        restic(&vault, &key(&shop, "alpha"), &["key", "add", "--new-password-file", new.to_str().unwrap()]);
    assert!(added.status.success(), "{added:?}");
    shop.run(&["keys", "ls", "alpha"]).must(0).shows("unknown key file");
    shop.run(&["keys", "rotate", "alpha"]).must(0);
    assert!(opens(&vault, "of somebody else"));
    // A key that does not open the repository is not exchanged for one that does not either.
    let place = shop.state().join("keys/shop/beta.key");
    let beta = key(&shop, "beta");
    fs::write(&place, "wrong\n").unwrap();
    shop.run(&["keys", "rotate", "beta"]).must(1).refused("E0605");
    shop.run(&["keys", "escrow", "-o", "refused.age", "--to", RECIPIENT]).must(1).refused("E0605");
    assert!(!shop.directory.join("refused.age").exists());
    shop.run(&["keys", "ls"]).must(0).shows("does not open the repository");
    fs::write(&place, &beta).unwrap();
    shop.run(&["backups", "beta"]).must(0);
    shop.run(&["keys", "show", "beta"]).must(1).says("nobody is here to agree").lacks(&beta);
    shop.run(&["keys", "show", "beta", "--yes"]).must(0).shows(&beta).says("RESTIC_PASSWORD");
}

#[test]
fn keys_are_kept_in_an_escrow_and_come_back() {
    let shop = shop_with_points();
    let troubles = |shop: &Shop| shop.status()["troubles"].to_string();
    assert!(troubles(&shop).contains("trouble-keys-never"), "{}", troubles(&shop));
    let identity = shop.directory.join("identity");
    fs::write(&identity, format!("# mine\n{IDENTITY}\n")).unwrap();
    let (alpha, beta) = (key(&shop, "alpha"), key(&shop, "beta"));
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", "age1nobody"]).must(1).refused("E0620");
    shop.run(&["keys", "escrow", "-o", "keys.age"]).must(1).says("--passphrase");
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", RECIPIENT]).must(0).says("keys.age.recovery.txt");
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", RECIPIENT]).must(1).says("it is there already");
    assert!(!troubles(&shop).contains("trouble-keys"), "{}", troubles(&shop));
    let sheet = fs::read_to_string(shop.directory.join("keys.age.recovery.txt")).unwrap();
    assert!(!sheet.contains(&alpha) && sheet.contains("age -d -i IDENTITY-FILE keys.age"), "{sheet}");
    // What the sheet says, with Debian's age alone.
    let shown =
        Command::new("age").args(["-d", "-i", "identity", "keys.age"]).current_dir(&shop.directory).output();
    let shown = String::from_utf8(shown.expect("age is installed").stdout).unwrap();
    assert!(shown.contains(&format!("\"password\": \"{alpha}\"")), "{shown}");
    // The machine is lost: the keys come back, and nothing that is there is overwritten.
    let keys = shop.state().join("keys");
    fs::rename(&keys, shop.directory.join("lost")).unwrap();
    shop.run(&["backups", "alpha"]).must(1).refused("E0605");
    shop.run(&["keys", "recover", "keys.age"]).must(1).says("--identity");
    shop.run(&["keys", "recover", "keys.age", "-i", "eclusa.toml"]).must(1).refused("E0620");
    shop.run(&["keys", "recover", "keys.age", "-i", "identity"]).must(0).shows("it opens the repository");
    assert_eq!((key(&shop, "alpha"), key(&shop, "beta")), (alpha.clone(), beta));
    shop.run(&["backups", "alpha"]).must(0);
    shop.run(&["keys", "recover", "keys.age", "-i", "identity"]).must(0).shows("is there already");
    shop.run(&["keys", "recover", "keys.age", "nobody", "-i", "identity"]).must(1).says("no key of nobody");
    // After an exchange it is said, and the file's key is not put in the place of the new one.
    shop.run(&["keys", "rotate", "alpha"]).must(0);
    assert!(troubles(&shop).contains("trouble-keys-since"), "{}", troubles(&shop));
    let newer = key(&shop, "alpha");
    shop.run(&["keys", "recover", "keys.age", "alpha", "-i", "identity"]).must(3).says("It was left");
    fs::remove_file(shop.state().join("keys/shop/alpha.key")).unwrap();
    shop.run(&["keys", "recover", "keys.age", "alpha", "-i", "identity"]).must(3).says("does not open");
    assert!(!shop.state().join("keys/shop/alpha.key").exists());
    fs::write(shop.state().join("keys/shop/alpha.key"), &newer).unwrap();
    shop.run(&["keys", "recover", "keys.age", "alpha", "-i", "identity", "--replace"])
        .must(0)
        .shows("NOT open");
    assert_eq!(key(&shop, "alpha"), alpha);
    let aside = fs::read_dir(shop.state().join("keys/shop")).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.filter(|path| path.display().to_string().contains("alpha.key-replaced-"));
    let aside: Vec<String> = aside.map(|path| fs::read_to_string(path).unwrap().trim().to_owned()).collect();
    assert_eq!(aside, [newer]);
    // By a passphrase; a wrong one, a short one, and one bit of the file.
    let phrase = |text: &str| fs::write(shop.directory.join("phrase"), text).unwrap();
    let by_phrase = ["--passphrase", "file:phrase"];
    phrase("too short");
    shop.run(&[&["keys", "escrow", "beta", "-o", "beta.age"], &by_phrase[..]].concat())
        .must(1)
        .says("fewer than");
    phrase("correct horse battery staple");
    let escrow = ["keys", "escrow", "beta", "-o", "beta.age", "--with-passwords"];
    shop.run(&[&escrow[..], &by_phrase].concat()).must(0).says("WITH THE PASSWORDS");
    let sheet = fs::read_to_string(shop.directory.join("beta.age.recovery.txt")).unwrap();
    assert!(sheet.contains(&key(&shop, "beta")), "{sheet}");
    let recover = [&["keys", "recover", "beta.age"], &by_phrase[..]].concat();
    shop.run(&recover).must(0).shows("is there already");
    phrase("correct horse battery stable");
    shop.run(&recover).must(1).refused("E0620");
    phrase("correct horse battery staple");
    let mut bytes = fs::read(shop.directory.join("beta.age")).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
    fs::write(shop.directory.join("beta.age"), bytes).unwrap();
    shop.run(&recover).must(1).refused("E0620");
}

#[test]
fn an_exchange_that_is_killed_anywhere_leaves_a_key_that_opens() {
    let shop = shop_with_points();
    shop.run(&["mirror"]).must(0);
    let vault = shop.state().join("vault/shop/alpha");
    let mut deaths = 0;
    for at in 1.. {
        let mut command = shop.command(&["keys", "rotate", "alpha"]);
        let ran = common::Ran::of(command.env("ECLUSA_CRASH_AT", format!("*#{at}")));
        if ran.code == 0 {
            break;
        }
        assert_eq!(ran.code, -1, "{ran:?}");
        deaths += 1;
        shop.run(&["backups", "alpha"]).must(0);
        // The mirror may be copied to at any moment; it never loses the last key that opens it.
        if at % 4 == 0 {
            shop.run(&["mirror", "alpha"]).must(0);
            shop.run(&["backups", "alpha"]).must(0);
            assert!(opens(&shop.directory.join("nas/shop/alpha"), &key(&shop, "alpha")), "{at}");
        }
    }
    assert!(deaths > 20, "{deaths}");
    assert_eq!(key_files(&vault), 1, "what was half done is gone");
    assert!(opens(&vault, &key(&shop, "alpha")));
    shop.run(&["mirror"]).must(0);
    assert_eq!(key_files(&shop.directory.join("nas/shop/alpha")), 1);
    let left = fs::read_dir(shop.state().join("keys/shop")).unwrap().count();
    assert_eq!(left, 2, "alpha.key and beta.key");
    let status = shop.status()["troubles"].to_string();
    assert!(!status.contains("trouble-keys-unfinished"), "{status}");
}

#[test]
fn every_copy_of_a_tenant_is_destroyed_whenever_that_is_killed() {
    let shop = shop_with_points();
    let attic = shop.directory.join("attic");
    fs::create_dir(&attic).unwrap();
    let table = format!(
        "\n[[stacks.shop.mirrors]]\nname = \"attic\"\ndirectory = \"{}\"\nsame_file_system = true\n",
        attic.display()
    );
    shop.change_configuration(|text| text + &table);
    shop.run(&["mirror"]).must(0);
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", RECIPIENT]).must(0);
    shop.run(&["keys", "auditor", "add", "kpmg", "alpha", "-o", "kontrolle"]).must(0);
    let password = key(&shop, "alpha");
    let erase = [
        "erase",
        "alpha",
        "--reason",
        "the contract ended",
        "--still-configured",
        "--yes",
        "--confirm",
        "alpha",
    ];
    // What stands in the way.
    shop.run(&["erase", "alpha", "--yes", "--confirm", "alpha"])
        .must(1)
        .refused("E0621")
        .says("--still-configured");
    shop.run(&["erase", "nobody", "--yes", "--confirm", "nobody"]).must(1).says("no copies of nobody");
    shop.run(&["erase", "alpha", "--still-configured"]).must(1).refused("E0621").says("--confirm alpha");
    shop.run(&["erase", "alpha", "--still-configured", "--yes", "--confirm", "beta"])
        .must(3)
        .says("Nothing was destroyed");
    let point =
        shop.run(&["backups", "alpha", "--json"]).must(0).json()["tenants"][0]["points"][0]["id"].clone();
    let point = &point.as_str().unwrap()[..8];
    shop.run(&["backups", "hold", point, "--reason", "a court asks"]).must(0);
    shop.run(&erase).must(1).refused("E0621").says("a court asks");
    shop.run(&["backups", "end-hold", point, "--reason", "settled"]).must(0);
    let plan = shop.run(&["erase", "alpha", "--still-configured", "--plan"]).must(0);
    plan.shows("will be destroyed").shows("keys.age").shows("the auditor kpmg").shows("the live database");
    assert!(opens(&shop.state().join("vault/shop/alpha"), &password), "a plan destroys nothing");
    // One mirror is not there. Killed again and again, it comes to its end.
    fs::rename(&attic, shop.directory.join("away")).unwrap();
    let mut deaths = 0;
    for at in 1.. {
        let mut command = shop.command(&erase);
        let ran = common::Ran::of(command.env("ECLUSA_CRASH_AT", format!("*#{at}")));
        if ran.code == 4 {
            ran.says("copies are left at the mirror attic");
            break;
        }
        assert_eq!(ran.code, -1, "{ran:?}");
        deaths += 1;
    }
    assert!(deaths > 10, "{deaths}");
    assert!(!shop.state().join("vault/shop/alpha").exists());
    assert!(!shop.directory.join("nas/shop/alpha").exists());
    let keys: Vec<String> = fs::read_dir(shop.state().join("keys/shop"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(keys, ["beta.key"]);
    shop.run(&["status"]).must(1).shows("copies are left at the mirror attic").shows("eclusa erase alpha");
    let found = Command::new("grep").arg("-rlF").arg(&password).arg(&shop.directory).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "the key is nowhere");
    // When the mirror is there again, the same command finishes it.
    fs::rename(shop.directory.join("away"), &attic).unwrap();
    assert!(
        opens(
            &attic.join("shop/alpha"),
            fs::read_to_string(shop.directory.join("kontrolle")).unwrap().trim()
        ) || attic.join("shop/alpha").exists()
    );
    let done = shop.run(&[&erase[..], &["--json"]].concat()).must(0).json();
    assert_eq!(done["complete"], true, "{done}");
    assert!(!attic.join("shop/alpha").exists());
    let text = done.to_string();
    for wanted in ["keys.age", "kpmg", "the contract ended", "\"destroyed\"", "attic", "nas"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let directory = shop.state().join("erasures/shop");
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let (certificates, others): (Vec<_>, Vec<_>) =
        names.partition(|path| path.display().to_string().contains(".certificate."));
    assert!(others.is_empty(), "{others:?}");
    let newest =
        certificates.iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")).max().unwrap();
    let newest = fs::read_to_string(newest).unwrap();
    assert!(newest.contains("Every copy that Eclusa knows of was destroyed"), "{newest}");
    assert!(newest.contains("the auditor kpmg") && newest.contains("keys.age"), "{newest}");
    assert!(!newest.contains("which Eclusa did not make"), "{newest}");
    // The other tenant has everything, the live data is as it was, and the next backup begins anew.
    assert!(opens(&shop.state().join("vault/shop/beta"), &key(&shop, "beta")));
    assert!(shop.census("alpha").rows() > 0);
    shop.run(&erase).must(1).says("no copies of alpha");
    shop.run(&["backup", "alpha"]).must(0);
    shop.run(&["mirror"]).must(0);
}
