//! A copy of a running server's database, and putting it back.

use sea_orm::{ConnectionTrait as _, Database};

use super::TestServer;

/// Copies the database of a running server; `false` where it is no file.
pub async fn back_up(server: &TestServer) -> bool {
    if !server.app.config.database.url.starts_with("sqlite") {
        return false;
    }
    let folder = server.folder();
    let own = format!("sqlite:{}", folder.join("tern.db").display());
    let own = Database::connect(own).await.unwrap();
    let copy = folder.join("copy.db");
    own.execute_unprepared(&format!("VACUUM INTO '{}'", copy.display())).await.unwrap();
    own.close().await.unwrap();
    true
}

/// Stops the server, puts the copy in the database's place, and starts it again.
pub async fn restored(server: TestServer) -> TestServer {
    server.app.db.close().await;
    let file = server.folder().join("tern.db");
    for left in ["tern.db-wal", "tern.db-shm"] {
        std::fs::remove_file(server.folder().join(left)).ok();
    }
    std::fs::copy(server.folder().join("copy.db"), file).unwrap();
    server.restarted().await
}
