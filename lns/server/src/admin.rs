//! What a running server can be asked over its admin socket: one JSON request a line, one JSON answer a line. The
//! socket is a file that only its owner may open, which is all the authentication there is.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tracing::warn;

use crate::shard::{Message, Selector};
use crate::shared::Shared;

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// All sessions.
    Sessions,
    /// All tunnels.
    Tunnels,
    /// All IPsec associations.
    Ipsec,
    /// Server groups and their servers.
    Aaa,
    /// Address pools.
    Pools,
    /// What the shards count.
    Counters,
    /// End sessions.
    Disconnect(Selector),
}

/// Longest request line.
const LONGEST_REQUEST: u64 = 4096;
/// How long a client of the socket waits for its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Listens on the socket; a stale one of a server that is gone is replaced, any other file is left alone.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another tollgate answers on it"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file stands there that is no socket",
            ));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    // Made where nobody else can reach it and moved when it is closed to others: between the two steps of making it and
    // of taking the rights away, a loose umask would let anybody in.
    let private = with_suffix(path, ".d");
    match std::fs::DirBuilder::new().mode(0o700).create(&private) {
        // Left over by a server that was killed in between.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let _ = std::fs::remove_file(private.join("s"));
            std::fs::remove_dir(&private)?;
            std::fs::DirBuilder::new().mode(0o700).create(&private)?;
        }
        made => made?,
    }
    let made = private.join("s");
    let listener = UnixListener::bind(&made).and_then(|listener| {
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&made, path)?;
        Ok(listener)
    });
    let _ = std::fs::remove_file(&made);
    let _ = std::fs::remove_dir(&private);
    listener
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Answers until the runtime ends.
pub(crate) async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &shared).await {
                        warn!(%error, "admin socket");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "admin socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: tokio::net::UnixStream, shared: &Shared) -> io::Result<()> {
    use tokio::io::AsyncReadExt;
    let (read, mut write) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(read.take(LONGEST_REQUEST)).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str::<Request>(&line) {
            Ok(request) => answer(shared, request).await,
            Err(error) => serde_json::json!({ "error": format!("not a request: {error}") }),
        };
        let mut text = answer.to_string();
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

async fn answer(shared: &Shared, request: Request) -> serde_json::Value {
    let answer = match request {
        Request::Sessions => serde_json::to_value(shared.gather(Message::Sessions).await),
        Request::Tunnels => serde_json::to_value(shared.gather(Message::Tunnels).await),
        Request::Ipsec => serde_json::to_value(shared.gather(Message::Ipsec).await),
        Request::Aaa => serde_json::to_value(shared.snapshot.load().router.status()),
        Request::Pools => serde_json::to_value(shared.pools.status()),
        Request::Counters => {
            let mut sums = std::collections::BTreeMap::<String, u64>::new();
            let of_shards = shared.gather(Message::Counters).await;
            for (name, value) in of_shards.into_iter().chain(shared.dynamic.counters()) {
                *sums.entry(name).or_default() += value;
            }
            serde_json::to_value(sums)
        }
        Request::Disconnect(selector) => {
            let mut ended = 0;
            for post in shared.all_posts() {
                let (sender, receiver) = oneshot::channel();
                if post.send(Message::Disconnect(selector.clone(), sender)) {
                    ended += receiver.await.unwrap_or(0);
                }
            }
            Ok(serde_json::json!({ "disconnected": ended }))
        }
    };
    answer.unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }))
}

/// Why a running server could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// No server, or no right.
    #[error("no tollgate answers on {path}: {error}; is it running, and is this its user?", path = path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// The server refused.
    #[error("the server answers: {0}")]
    Refused(String),
    /// Something else answers there.
    #[error("the answer on {path} is not a tollgate's: {error}", path = path.display())]
    Strange {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

/// Asks a running server.
pub(crate) fn ask(path: &Path, request: &Request) -> Result<serde_json::Value, AskError> {
    let unreachable = |error| AskError::Unreachable { path: path.to_owned(), error };
    let strange = |error| AskError::Strange { path: path.to_owned(), error };
    let mut stream = UnixStream::connect(path).map_err(unreachable)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(unreachable)?;
    let mut line = serde_json::to_string(request).map_err(strange)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(unreachable)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(unreachable)?;
    let answer: serde_json::Value = serde_json::from_str(&answer).map_err(strange)?;
    match answer.get("error").and_then(serde_json::Value::as_str) {
        Some(error) => Err(AskError::Refused(error.to_owned())),
        None => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of the test's own, gone when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("tollgate-admin-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn the_socket_is_closed_to_others_and_a_stale_one_is_replaced() {
        let folder = Folder::new("stale");
        let path = folder.0.join("admin.sock");
        drop(listen(&path).unwrap());
        let _listener = listen(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "nothing else is left behind");
        let second = listen(&path).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        assert!(UnixStream::connect(&path).is_ok(), "the first server is still reached");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = Folder::new("file");
        let path = folder.0.join("precious");
        std::fs::write(&path, "data").unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
    }
}
