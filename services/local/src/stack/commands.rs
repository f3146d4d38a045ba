//! The commands of the executable that run to their end: `migrate`, `seed` and `keys init`.

use std::process::Stdio;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::files;
use crate::process::Environment;
use crate::stack::databases::Database;
use crate::stack::{Service, Stack};

/// Brings the schemas up to date and sets the passwords of the roles.
pub(super) async fn migrate(stack: &Stack, database: &Database) -> Result<()> {
    let mut env = Environment::default();
    env.set("SIPUP_DATABASE_URL", &database.owner_url);
    for service in Service::ALL {
        let name = format!("SIPUP_ROLE_PASSWORD_{}", service.name().to_uppercase());
        env.set(&name, stack.secrets.role_password(service)?);
    }
    run(stack, &["migrate"], &env).await
}

/// Makes the first key that signs access tokens, unless there is one.
pub(super) async fn make_signing_key(stack: &Stack) -> Result<()> {
    let mut env = Environment::default();
    env.set("SIPUP_SIGNING_KEYS", stack.secrets.signing_keys().to_string_lossy());
    run(stack, &["keys", "init"], &env).await
}

/// Fills the database with demo data, unless that was done before.
pub(super) async fn seed_once(stack: &Stack, database: &Database) -> Result<()> {
    let done = stack.plan.folder.path().join("seeded");
    if stack.plan.options.no_seed || done.exists() {
        return Ok(());
    }
    let products = stack.plan.options.products.to_string();
    let phase = stack.plan.options.progress.phase("demo data");
    phase.doing("companies, users, products, stock");
    let mut env = Environment::default();
    env.set("SIPUP_DATABASE_URL", &database.owner_url);
    run(stack, &["seed", "--products", &products], &env).await?;
    files::write_whole(&done, products.as_bytes())?;
    phase.done(&format!("{products} products"));
    Ok(())
}

/// Secrets go by environment variable: arguments are visible to all users of the machine.
async fn run(stack: &Stack, args: &[&str], env: &Environment) -> Result<()> {
    let mut command = Command::new(&stack.plan.options.executable);
    command.args(args).envs(env.iter()).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let program = format!("sipup {}", args[0]);
    let output =
        command.output().await.map_err(|source| Error::Spawn { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { program, status: output.status, output: text })
}
