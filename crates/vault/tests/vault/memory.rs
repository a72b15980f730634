//! Memory does not grow with the streams.

use std::io::{self, Read};

use eclusa_ports::Vault;

use crate::fixture::{CHILD, Fixture, Pattern, dump, id, start_child};

const TEST: &str = "memory::a_large_stream_passes_in_bounded_memory";
const LENGTH: u64 = 400_000_000;
const LIMIT_KIB: u64 = 300 * 1024;

#[tokio::test]
async fn a_large_stream_passes_in_bounded_memory() {
    if let Some(base) = std::env::var_os(CHILD) {
        let fixture = Fixture::at(base.as_ref());
        let mut request = fixture.request("large", "2026-11-21T10:00:00Z");
        request.database = Some(dump(Pattern::new(LENGTH, 11)));
        let taken = fixture.vault.take(request).await.unwrap();
        let mut reader = fixture.vault.open(&fixture.tenant, &id(&taken), "database.sql").await.unwrap();
        assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), LENGTH);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        println!("\n{}", status.lines().find(|line| line.starts_with("VmHWM:")).unwrap());
        return;
    }
    let fixture = Fixture::new();
    let mut child = start_child(TEST, &fixture.base);
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    let line = output.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let peak: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("peak {peak} KiB");
    assert!(peak < LIMIT_KIB, "{peak} KiB for a stream of {LENGTH} bytes");
}
