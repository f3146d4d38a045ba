//! The stub as a process of its own, so that it can be stopped like one. Says its URL, and ends with its standard input.

use std::io::Read as _;

use loadgen::testing::{Behaviour, Stub};

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stub = runtime.block_on(Stub::start(Behaviour::default()))?;
    #[expect(clippy::print_stdout, reason = "whoever started it reads the URL")]
    {
        println!("{}", stub.url());
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    runtime.block_on(stub.stop());
    Ok(())
}
