//! The catalogue: an index over what the log and the records say, in one SQLite file.
//!
//! Two kinds of connection: one [`Writer`], owned by the sequencer's thread, and a pool of read-only ones for everybody
//! else. It must never know SFTP, encryption or where objects live.
//!
//! Invariant: [`project::apply`] is the only function that changes what the catalogue says about the world, and it takes
//! the custody event that records the change. The other writers here keep the log's right edge and the placement queue.

pub mod access;
pub mod accessions;
pub mod covered;
pub mod credentials;
pub mod doctypes;
pub mod inspections;
pub mod log_edge;
pub mod people;
pub mod placements;
pub mod project;
pub mod receipts;
pub mod reports;
pub mod search;
pub mod timeline;

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The schema this program writes and reads (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = 4;
/// The oldest schema that is brought up to date.
const EXTENSIBLE_VERSION: i64 = 2;
/// Tables that schema 3 added. No event that schema 2 knew of fills them.
const ADDED_BY_3: [&str; 2] = [include_str!("access.sql"), include_str!("credentials.sql")];
/// What schema 4 added: indices, and totals.
const ADDED_BY_4: &str = include_str!("growth.sql");
/// What stands in the way of [`ADDED_BY_4`] in an older catalogue, and what its totals are.
const BROUGHT_TO_4: [&str; 2] = [
    "DROP INDEX accession_inbox; DROP INDEX accession_waiting_person;",
    include_str!("totals.sql"),
];
/// Read connections kept open between uses: opening one reads the whole schema, which costs as much as a dozen questions.
const IDLE_READERS: usize = 32;
/// Statements that a connection keeps ready.
const READY_STATEMENTS: usize = 64;
/// How long a connection waits for another one's lock before it says so.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What can go wrong with the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// SQLite's own words.
    #[error("catalogue: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Written by another version of the program.
    #[error(
        "the catalogue has schema {found}, this program knows {SCHEMA_VERSION}: use the program version that wrote it, or move catalog.db away and let `muniment rebuild` make it again (schemas 2 and 3 are brought up to date when the server starts)"
    )]
    Schema {
        /// `user_version` of the file.
        found: i64,
    },
    /// The file isn't there.
    #[error(
        "no catalogue at {0}: `muniment init` makes a vault, `muniment rebuild` makes a lost catalogue again"
    )]
    Missing(PathBuf),
    /// A leaf or record doesn't have what its kind promises.
    #[error("event {index} ({kind}) can't be applied: {what}")]
    Event {
        /// Position in the log.
        index: u64,
        /// Kind of event.
        kind: String,
        /// What is missing or wrong.
        what: String,
    },
}

/// Result of a catalogue call.
pub type Result<T> = std::result::Result<T, CatalogueError>;

/// Read access, cheap to clone.
#[derive(Clone)]
pub struct Catalogue {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Catalogue {
    /// Opens an existing catalogue for reading.
    ///
    /// # Errors
    /// When it isn't there or has another schema.
    pub fn open(path: &Path) -> Result<Self> {
        let catalogue = Catalogue {
            path: Arc::new(path.to_owned()),
            idle: Arc::default(),
        };
        catalogue.read(|_| Ok(()))?;
        Ok(catalogue)
    }

    /// Runs one reading on a pooled connection, in one snapshot.
    ///
    /// # Errors
    /// Whatever the reading returns, or that the catalogue can't be opened.
    pub fn read<T>(&self, reading: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        connection.prepare_cached("BEGIN")?.execute([])?;
        let result = reading(&connection);
        // A serious error ends a snapshot by itself. One that doesn't end goes with its connection.
        let is_over = connection.is_autocommit()
            || connection
                .prepare_cached("ROLLBACK")
                .and_then(|mut end| end.execute([]))
                .is_ok();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if is_over && idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        result
    }
}

fn open_reader(path: &Path) -> Result<Connection> {
    if !path.exists() {
        return Err(CatalogueError::Missing(path.to_owned()));
    }
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let connection = watched(connection);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;")?;
    prepare_statements_once(&connection)?;
    check_schema(&connection)?;
    Ok(connection)
}

/// Plans are made from a statement's text alone. Otherwise SQLite looks at the values too, wherever an index has a condition,
/// and makes the plan anew for each value.
fn prepare_statements_once(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(READY_STATEMENTS);
    Ok(())
}

fn check_schema(connection: &Connection) -> Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found == SCHEMA_VERSION {
        Ok(())
    } else {
        Err(CatalogueError::Schema { found })
    }
}

/// Brings a catalogue of an older schema up to this one, in one transaction. Reads all of it once: minutes for ten million items.
fn extend_schema(connection: &Connection) -> Result<()> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if !(EXTENSIBLE_VERSION..SCHEMA_VERSION).contains(&found) {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction()?;
    if found < 3 {
        for tables in ADDED_BY_3 {
            transaction.execute_batch(tables)?;
        }
    }
    let [cleared, totals] = BROUGHT_TO_4;
    for batch in [cleared, ADDED_BY_4, totals] {
        transaction.execute_batch(batch)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// The one connection that writes.
pub struct Writer {
    pub(crate) connection: Connection,
}

impl Writer {
    /// Makes an empty catalogue.
    ///
    /// # Errors
    /// When the file exists already or can't be written.
    pub fn create(path: &Path, origin: &str) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = Connection::open_with_flags(path, flags)?;
        let connection = watched(connection);
        configure_writer(&connection)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        for added in ADDED_BY_3.into_iter().chain([ADDED_BY_4]) {
            connection.execute_batch(added)?;
        }
        connection.execute("INSERT INTO vault (only_row, origin) VALUES (1, ?1)", [origin])?;
        connection.execute_batch("INSERT INTO log_published (only_row, size) VALUES (1, 0)")?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        connection.execute_batch("COMMIT")?;
        Ok(Writer { connection })
    }

    /// Opens an existing catalogue for writing.
    ///
    /// # Errors
    /// When it isn't there, can't be written, or has another schema.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(CatalogueError::Missing(path.to_owned()));
        }
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let connection = watched(connection);
        configure_writer(&connection)?;
        extend_schema(&connection)?;
        check_schema(&connection)?;
        Ok(Writer { connection })
    }
}

/// WAL with FULL: a signed checkpoint must not leave the building before its commit is on the disk.
/// `secure_delete`: what a destruction removes from the index is overwritten, not only unlinked.
fn configure_writer(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA secure_delete = FAST; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;",
    )?;
    prepare_statements_once(connection)
}

/// A row limit as SQLite takes it.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Where tests count what runs on a connection.
#[cfg(not(test))]
fn watched(connection: Connection) -> Connection {
    connection
}

#[cfg(test)]
pub(crate) mod work;
#[cfg(test)]
use work::watched;
#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> Vec<(String, Option<String>)> {
        let mut query = connection
            .prepare("SELECT type || ' ' || name, sql FROM sqlite_schema ORDER BY 1")
            .unwrap();
        let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        found.collect::<rusqlite::Result<_>>().unwrap()
    }

    /// A catalogue as an older schema left it, with a row in it.
    fn of_schema(path: &Path, version: i64) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        connection
            .execute_batch(
                "CREATE INDEX accession_inbox ON accession (person, path, leaf_index); \
                 CREATE INDEX accession_waiting_person ON accession (person) WHERE state = 'received'; \
                 INSERT INTO vault (only_row, origin) VALUES (1, 'example.org/test'); \
                 INSERT INTO log_published (only_row, size) VALUES (1, 0); \
                 INSERT INTO branch (code, name, leaf_index) VALUES ('0101', 'x', 3);",
            )
            .unwrap();
        if version > 2 {
            for tables in ADDED_BY_3 {
                connection.execute_batch(tables).unwrap();
            }
        }
        connection.pragma_update(None, "user_version", version).unwrap();
    }

    #[test]
    fn a_catalogue_of_an_older_schema_becomes_what_a_new_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new.db");
        let fresh = Writer::create(&new, "example.org/test").unwrap();
        for version in EXTENSIBLE_VERSION..SCHEMA_VERSION {
            let old = folder.path().join(format!("{version}.db"));
            of_schema(&old, version);
            assert!(matches!(
                Catalogue::open(&old),
                Err(CatalogueError::Schema { found }) if found == version
            ));
            let writer = Writer::open(&old).unwrap();
            assert_eq!(schema(&writer.connection), schema(&fresh.connection), "{version}");
            drop(writer);
            // Once and for all, and what was there is there.
            let again = Catalogue::open(&old).unwrap();
            let branches = again.read(people::branches).unwrap();
            assert_eq!(branches.len(), 1);
            assert!(Writer::open(&old).is_ok());
        }
    }

    /// What the fold counted one by one is what an older catalogue is given at once.
    #[test]
    fn an_older_catalogue_gets_the_totals_that_the_fold_would_have_kept() {
        let vault = crate::custody::testing::TestVault::new();
        vault.seal("zhang.san", "a.mp4", "A1");
        vault.seal("li.na", "b.mp4", "A2");
        let original = crate::custody::testing::Original::default();
        let first = vault.seal_original(original);
        for by in ["zhang.san", "li.na", "li.na"] {
            vault.seal_original(crate::custody::testing::Original {
                by,
                of: Some(&first.id),
                ..original
            });
        }
        let connection = Connection::open(vault.layout.catalog()).unwrap();
        let totals = || -> Vec<String> {
            let mut query = connection
                .prepare(
                    "SELECT json_array(branch, pieces, versions, size_bytes, stored_bytes, derived_bytes, declared, first_ms, \
                     last_ms) FROM sealed_total ORDER BY branch",
                )
                .unwrap();
            let rows = query.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<rusqlite::Result<_>>().unwrap()
        };
        let kept = totals();
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert!(kept[0].starts_with("[\"\",3,6,"), "{kept:?}");
        assert!(vault.catalogue.read(reports::wrong_totals).unwrap().is_empty());
        connection.execute_batch("DELETE FROM sealed_total").unwrap();
        assert_eq!(
            vault.catalogue.read(reports::wrong_totals).unwrap(),
            ["0101", "0202"]
        );
        connection.execute_batch(BROUGHT_TO_4[1]).unwrap();
        assert_eq!(totals(), kept);
    }

    #[test]
    fn any_other_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        for version in [0, 1, SCHEMA_VERSION + 1] {
            let _ = std::fs::remove_file(&path);
            of_schema(&path, version);
            let connection = Connection::open(&path).unwrap();
            let before = schema(&connection);
            let opened = Writer::open(&path);
            assert!(
                matches!(opened, Err(CatalogueError::Schema { found }) if found == version),
                "{version}"
            );
            assert_eq!(schema(&connection), before);
        }
    }

    #[test]
    fn an_upgrade_that_fails_leaves_the_older_schema() {
        let folder = tempfile::tempdir().unwrap();
        for (version, last) in [(2, "api_token"), (3, "sealed_total")] {
            let path = folder.path().join(format!("{version}.db"));
            of_schema(&path, version);
            let connection = Connection::open(&path).unwrap();
            // In the way of the last table.
            connection
                .execute_batch(&format!("CREATE TABLE {last} (x)"))
                .unwrap();
            let before = schema(&connection);
            assert!(Writer::open(&path).is_err());
            assert_eq!(schema(&connection), before);
            connection.execute_batch(&format!("DROP TABLE {last}")).unwrap();
            assert!(Writer::open(&path).is_ok());
        }
    }
}
