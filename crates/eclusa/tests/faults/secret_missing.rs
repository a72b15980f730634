//! Fault: A secret that the configuration refers to is missing

use crate::support::{Stage, quick};

fn refused(reference: &str) {
    let stage = Stage::plain(&quick());
    let table = format!(
        "\n[[stacks.shop.hooks]]\nname = \"told\"\nat = \"after.accept\"\ncommand = [\"true\"]\nenvironment = {{ TOKEN = \"{reference}\" }}\n"
    );
    stage.shop.change_configuration(|text| text + &table);
    for arguments in [&["release", "v2", "--yes"][..], &["plan", "release", "v2"]] {
        let ran = stage.shop.run(arguments).must(1).refused("E0104").says("Nothing was changed.");
        ran.says(reference.split_once(':').unwrap().1);
    }
    stage.is_as_before();
}

/// `env:` of a variable that is not set: refused (1), E0104 with its name; nothing has begun.
#[test]
fn release_variable() {
    refused("env:NO_SUCH_VARIABLE");
}

/// `file:` of a file that is not there: refused (1), E0104 with its path; nothing has begun.
#[test]
fn release_file() {
    refused("file:no-such.key");
}
