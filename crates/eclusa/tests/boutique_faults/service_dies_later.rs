//! Fault: The service is healthy and dies soon after, each time it is started

use crate::bench::Bench;

/// It dies as soon as it finds a file.
const DIES: &str = r#"

import os, threading, time
def dies():
    while not os.path.exists("/tmp/die"):
        time.sleep(0.1)
    os._exit(1)
threading.Thread(target=dies, daemon=True).start()
"#;

/// The watch says no-go, or hold where it saw too little, and a person says no; the run goes back (3).
pub fn release(bench: &Bench) {
    bench.version("mortal", "gunicorn.conf.py", |text| text + DIES);
    bench.configure(|text| {
        text.replace("for = \"2s\"", "for = \"8s\"").replace("error_rate = 0.6", "error_rate = 0.2")
    });
    let run = bench.begin(&["release", "mortal"]);
    bench.until_begun(&run, "watch.stack");
    bench.docker(&["exec", &bench.container("web"), "touch", "/tmp/die"]);
    bench.attach_on_no_go(&run).must(3).says("watch.stack").says("WENT BACK");
}
