//! What an idle socket costs.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    Failure,
    client::{Client, Clients},
    server::Server,
};

/// Handshakes at once.
const AT_ONCE: usize = 64;

/// Opens the sockets and prints what each costs, as a table and as JSON.
pub(crate) async fn run(binary: &Path, sockets: usize) -> Result<(), Failure> {
    let server = Server::start(binary)?;
    let clients = Arc::new(Clients::new(&server, server.token("load")?)?);
    // One socket first: what the first one ever needs is not what each needs.
    drop(open(&clients, 1).await?);
    let empty = settled(&server).await?;
    let mut open = open(&clients, sockets).await?;
    let admitted = settled(&server).await?;
    let subscribe = json!({ "jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": { "channel": "load/all" } });
    ask_all(&mut open, &subscribe.to_string()).await?;
    let subscribed = settled(&server).await?;
    let ping = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping", "params": { "pad": "x".repeat(16_000) } });
    ask_all(&mut open, &ping.to_string()).await?;
    let messaged = settled(&server).await?;
    let each = |memory: u64| memory.saturating_sub(empty) / sockets.max(1) as u64;
    println!("{sockets} idle TLS sockets, user space of the server for each:");
    println!("  admitted                  {:>6} bytes", each(admitted));
    println!("  subscribed                {:>6} bytes", each(subscribed));
    println!("  after a 16 KB message     {:>6} bytes", each(messaged));
    let report = json!({
        "sockets": sockets, "server_without_sockets": empty, "admitted": each(admitted),
        "subscribed": each(subscribed), "after_16_kb": each(messaged),
    });
    println!("{report}");
    Ok(())
}

async fn open(clients: &Arc<Clients>, count: usize) -> Result<Vec<Client>, Failure> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let place = places.clone().acquire_owned().await?;
        let clients = clients.clone();
        opening.spawn(async move {
            let client = clients.open().await;
            drop(place);
            client
        });
    }
    opening.join_all().await.into_iter().collect()
}

async fn ask_all(clients: &mut [Client], text: &str) -> Result<(), Failure> {
    for client in clients {
        let answer = client.ask(text).await?;
        if answer.contains("\"error\"") {
            return Err(answer.into());
        }
    }
    Ok(())
}

/// The server's memory once it no longer changes.
async fn settled(server: &Server) -> Result<u64, Failure> {
    let mut last = server.memory()?;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = server.memory()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
