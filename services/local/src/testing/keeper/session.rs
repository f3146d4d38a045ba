//! The keeper's side of one connection.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::testing::keeper::Cargos;
use crate::testing::keeper::services::Services;
use crate::testing::protocol::{Hello, Request};

/// Greets a test binary, does what it asks for, and drops its databases when it has gone.
pub(super) async fn serve(stream: UnixStream, lease: u64, services: Arc<Services>, cargos: Cargos) {
    // However it ended: the peer is gone, and that is all there is to know.
    let _ = converse(stream, lease, &services, &cargos).await;
    services.drop_databases_of(lease).await;
}

async fn converse(stream: UnixStream, lease: u64, services: &Services, cargos: &Cargos) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines: Lines<BufReader<OwnedReadHalf>> = BufReader::new(reader).lines();
    let Some(hello) = lines.next_line().await? else { return Ok(()) };
    if let Some(cargo) = serde_json::from_str::<Hello>(&hello)?.cargo {
        cargos.add(cargo);
    }
    answer(&mut writer, &services.greeting(lease)).await?;
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Request::Drop(name) => services.drop_database(&name).await,
            Request::Replica => answer(&mut writer, &services.replica().await).await?,
        }
    }
    Ok(())
}

async fn answer(writer: &mut OwnedWriteHalf, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
