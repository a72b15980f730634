//! A stack key wraps the files with keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{SecretResolver, Vault};
use eclusa_vault::{LocalVault, StackKey, is_wrapped};
use secrecy::SecretString;

use crate::fixture::{Fixture, id};

/// What stands behind references, and how often each was asked for.
#[derive(Default)]
struct Texts(Mutex<BTreeMap<String, (String, usize)>>);

impl Texts {
    fn put(&self, reference: &str, text: &str) {
        self.0.lock().unwrap().insert(reference.to_owned(), (text.to_owned(), 0));
    }

    fn asked(&self, reference: &str) -> usize {
        self.0.lock().unwrap()[reference].1
    }
}

impl SecretResolver for Texts {
    fn resolve(&self, reference: &str) -> Result<SecretString> {
        let mut all = self.0.lock().unwrap();
        let missing = || Fault::new(Code::SecretMissing).with("problem", "it is not there");
        let (text, asked) = all.get_mut(reference).ok_or_else(missing)?;
        *asked += 1;
        Ok(SecretString::from(text.as_str()))
    }
}

fn stack_key() -> String {
    Identity::generate().to_string().expose_secret().to_owned()
}

fn parsed(text: &str) -> Arc<StackKey> {
    Arc::new(StackKey::parse(&SecretString::from(text)).unwrap())
}

fn vault(fixture: &Fixture, reference: &str, texts: &Arc<Texts>) -> LocalVault {
    fixture.vault_anew().with_stack_key(reference.to_owned(), texts.clone())
}

#[tokio::test]
async fn the_stack_key_is_read_once_for_all_tenants_and_again_before_a_key_is_written() {
    let (fixture, texts) = (Fixture::new(), Arc::new(Texts::default()));
    texts.put("one", &stack_key());
    let first = vault(&fixture, "one", &texts);
    let taken = first.take(fixture.request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    assert!(is_wrapped(&std::fs::read(fixture.key()).unwrap()));
    assert_eq!(texts.asked("one"), 1, "for the key that was made");
    for _ in 0..5 {
        first.verify(&fixture.tenant, &id(&taken)).await.unwrap();
        first.list(&fixture.tenant).await.unwrap();
    }
    assert_eq!(texts.asked("one"), 1);
    // One that is gone wraps nothing any more.
    texts.0.lock().unwrap().clear();
    first.verify(&fixture.tenant, &id(&taken)).await.unwrap();
    let by = eclusa_vault::DoneBy { at: "2026-11-21T10:00:00Z".parse().unwrap(), by: "olga".to_owned() };
    assert_eq!(first.rotate_key(&fixture.tenant, by).await.unwrap_err().code, Code::StackKey);
    assert_eq!(vault(&fixture, "one", &texts).list(&fixture.tenant).await.unwrap_err().code, Code::StackKey);
}

#[tokio::test]
async fn what_a_process_has_opened_stays_open_when_it_is_wrapped_by_another_stack_key() {
    let (fixture, texts) = (Fixture::new(), Arc::new(Texts::default()));
    let (one, two) = (stack_key(), stack_key());
    texts.put("one", &one);
    texts.put("two", &two);
    // A run that began before any stack key was configured, one that knows the first, and one that knows the second.
    let plain = &fixture.vault;
    let taken = plain.take(fixture.request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    plain.list(&fixture.tenant).await.unwrap();
    let first = vault(&fixture, "one", &texts);
    assert_eq!(first.wrap_keys(&fixture.tenant, None).await.unwrap().changed.len(), 1);
    first.list(&fixture.tenant).await.unwrap();
    let second = vault(&fixture, "two", &texts);
    let refused = second.wrap_keys(&fixture.tenant, None).await.unwrap_err();
    assert_eq!(refused.code, Code::KeyWrapped);
    assert_eq!(second.list(&fixture.tenant).await.unwrap_err().code, Code::KeyWrapped);
    second.wrap_keys(&fixture.tenant, Some(parsed(&one))).await.unwrap();
    for (mark, vault) in [("a", plain), ("b", &first), ("c", &second)] {
        vault.find(&fixture.tenant, id(&taken).as_str()).await.unwrap();
        vault.take(fixture.request(mark, "2026-11-21T11:00:00Z")).await.unwrap();
    }
    // A proof begins with the key on the disk, and must not take a key for good that cannot be opened.
    assert_eq!(first.verify(&fixture.tenant, &id(&taken)).await.unwrap_err().code, Code::KeyWrapped);
    second.verify(&fixture.tenant, &id(&taken)).await.unwrap();
    // Whoever begins now has to have the right one.
    assert_eq!(fixture.vault_anew().list(&fixture.tenant).await.unwrap_err().code, Code::KeyWrapped);
    let late = vault(&fixture, "one", &texts).list(&fixture.tenant).await.unwrap_err();
    assert_eq!(late.code, Code::KeyWrapped);
    assert!(!format!("{late:?}").contains(&one));
    assert_eq!(vault(&fixture, "two", &texts).list(&fixture.tenant).await.unwrap().0.len(), 4);
}

#[tokio::test]
async fn no_bytes_of_a_file_with_keys_make_the_vault_fall_over() {
    let (fixture, texts) = (Fixture::new(), Arc::new(Texts::default()));
    texts.put("one", &stack_key());
    let vault = vault(&fixture, "one", &texts);
    vault.take(fixture.request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    let good = std::fs::read(fixture.key()).unwrap();
    let header = b"age-encryption.org/v1\n".to_vec();
    let garbage = [
        Vec::new(),
        b"\n\n".to_vec(),
        vec![0xff; 300],
        header.clone(),
        b"age-encryption.org/v9\nwhatever".to_vec(),
        [header, vec![0xff; 300]].concat(),
        good[..good.len() / 2].to_vec(),
        b"-----BEGIN AGE ENCRYPTED FILE-----\n!\n".to_vec(),
        vec![b'a'; 2 << 20],
    ];
    for name in ["key", "key-next", "keys-before", "key-replaced-1"] {
        for bytes in &garbage {
            std::fs::write(fixture.key(), &good).unwrap();
            let path = fixture.key().with_extension(name);
            std::fs::write(&path, bytes).unwrap();
            let looked = vault.keys(&fixture.tenant).await;
            let wrapped = vault.wrap_keys(&fixture.tenant, None).await;
            let again = vault.unwrap_keys(&fixture.tenant, None).await;
            if name == "key" {
                assert!(looked.is_err() && wrapped.is_err() && again.is_err(), "{bytes:?}");
                assert_eq!(std::fs::read(&path).unwrap(), *bytes, "a key file was touched");
            }
            vault.wrapping().await.ok();
            std::fs::remove_file(path).ok();
        }
    }
}
