//! A vault as years of use leave it, made in minutes: sealed items through the product's own fold, and their log with its tiles.
//!
//! What differs from growing one upload at a time: nothing is synced, secondary indices of the large tables are made at the end,
//! and the files that the events promise (bodies, records, headers) aren't there. Inspections are left out: their rows only
//! ever join the end of their table.
#![allow(dead_code, unreachable_pub)]

use muniment::{
    blob::Layout,
    catalog::{log_edge, project},
    custody::fence,
    domain::{
        canonical,
        commitment::Opening,
        event::{Draft, EVENT_VERSION, Kind, Leaf, Openings, Record},
        hex,
        id::new_id,
        time::Zone,
    },
    tlog::{
        checkpoint::Checkpoint,
        key::SignerKey,
        merkle::{Hash, leaf_hash},
        tile::{Content, TileId, WIDTH, encode_bundle, encode_hashes},
        tree::TreeTail,
    },
};
use ring::rand::SystemRandom;
use rusqlite::{Connection, params};
use serde_json::json;
use std::{collections::BTreeMap, error::Error, fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// Result of making something.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Events of one transaction while growing.
const BATCH: u64 = 100_000;
/// Events under one checkpoint: a group as the sequencer commits it at the most.
const GROUP: u64 = 256;
const DAY_MS: i64 = 86_400_000;

const DOCTYPES: [&str; 20] = [
    "WVID", "IDCF", "IDCB", "ACCT", "RISK", "AGRM", "SIGN", "FACE", "VOUC", "BANK", "MARG", "OPTN", "FUND",
    "BOND", "AUTH", "CLOS", "CHNG", "TRUS", "CORP", "MISC",
];

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same every time.
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A share of `limit` that prefers small values: branches and document types aren't used evenly.
    pub fn skewed(&mut self, limit: u64) -> u64 {
        self.below(limit).min(self.below(limit))
    }

    fn digest(&mut self) -> String {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.next().to_be_bytes()).collect();
        hex::encode(bytes)
    }
}

/// What a vault is grown to.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Sealed items.
    pub items: u64,
    /// Branches.
    pub branches: u64,
    /// Uploaders in each.
    pub people: u64,
    /// When the last item was sealed, milliseconds since 1970.
    pub until_ms: i64,
    /// Days over which they were.
    pub days: u64,
}

/// The code of a branch.
pub fn branch(number: u64) -> String {
    format!("{:04}", number + 101)
}

/// The id of an uploader.
pub fn person(branch: u64, number: u64) -> String {
    format!("01hq{branch:011}{number:011}")
}

/// An item to be sealed.
pub struct Item {
    /// Its event.
    pub draft: Draft,
    /// Evidence id.
    pub evidence: String,
    /// Customer number.
    pub customer: String,
}

impl Shape {
    /// Item number `number`: three documents a flow, of one customer, who has about fifteen over the whole time.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn item(&self, number: u64, time_ms: i64, zone: Zone) -> Result<Item> {
        let mut of_flow = Random(number / 3);
        let ordinal = of_flow.below(self.items / 15 + 1);
        let of_branch = Random(ordinal).skewed(self.branches);
        // A bijection on 12 digits scatters the numbers, as those of a real house are.
        let customer = format!("{:012}", (ordinal * 387_420_489 + 12_345) % 1_000_000_000_000);
        let flow = format!("A{:09}", number / 3);
        let seq = format!("{:02}", number % 3 + 1);
        let mut random = Random(number.wrapping_mul(0x9e37_79b9) ^ 0x5eed);
        let doctype = DOCTYPES[usize::try_from(random.skewed(20))?];
        // One in fifty comes late, under an older date.
        let late = if random.below(50) == 0 {
            random.below(30)
        } else {
            0
        };
        let date: i64 = zone
            .date(time_ms - i64::try_from(late)? * DAY_MS)
            .replace('-', "")
            .parse()?;
        let video = doctype == "WVID";
        let size = if video {
            100_000_000 + random.below(400_000_000)
        } else {
            150_000 + random.below(400_000)
        };
        let name = format!(
            "{customer}_{date}_{flow}_{doctype}_{seq}.{}",
            if video { "mp4" } else { "jpg" }
        );
        let path = format!("scans/{name}");
        let uploader = person(of_branch, random.below(self.people));
        let system = SystemRandom::new();
        let id = || new_id(&system, time_ms).map_err(|_| "no randomness");
        let evidence = id()?;
        let mut draft = Draft::new(Kind::EvidenceSealed, id()?, uploader.as_str())
            .fact("branch", branch(of_branch))
            .fact("key", format!("SHA256:{uploader:A<43}"))
            .fact("person", uploader)
            .fact("sha256", random.digest())
            .fact("size_bytes", size)
            .fact("started_ms", time_ms - 20_000)
            .fact("stored_blake3", random.digest())
            .fact("stored_size_bytes", size + 4_096)
            .fact("category", "account_opening")
            .fact("date", date)
            .fact("doctype", doctype)
            .fact("evidence", evidence.as_str())
            .fact(
                "grade",
                if number.is_multiple_of(4) {
                    "server_only"
                } else {
                    "declared"
                },
            )
            .fact("version", 1)
            .commit("customer", customer.as_str())
            .commit("flow", flow)
            .commit("path", path.as_str())
            .commit("seq", seq)
            .private("ext", if video { "mp4" } else { "jpg" })
            .private("fields", json!({}))
            .private("mtime_s", time_ms / 1_000 - 60)
            .private("path_raw", hex::encode(&path))
            .private("structure", "whole");
        if video {
            draft = draft.fact("chunk_root", random.digest());
        }
        Ok(Item {
            draft,
            evidence,
            customer,
        })
    }

    fn sealed_ms(&self, number: u64) -> i64 {
        let span_ms = self.days as i128 * i128::from(DAY_MS);
        let before_end = i128::from(self.items - number) * span_ms / i128::from(self.items.max(1));
        self.until_ms - i64::try_from(before_end).unwrap_or_default()
    }
}

/// Branches and their uploaders, as events.
fn people(shape: &Shape) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for of in 0..shape.branches {
        let code = branch(of);
        drafts.push(
            Draft::new(Kind::BranchAdded, format!("b{code}"), "operator")
                .fact("branch", code.as_str())
                .commit("name", format!("营业部 {code}")),
        );
        for number in 0..shape.people {
            let person = person(of, number);
            let key = format!("SHA256:{person:A<43}");
            drafts.push(
                Draft::new(Kind::UserAdded, format!("u{person}"), "operator")
                    .fact("branch", code.as_str())
                    .fact("keys", vec![key.clone()])
                    .fact("person", person)
                    .fact("roles", vec!["uploader"])
                    .commit("name", format!("clerk{number}.{code}"))
                    .commit("nda", "NDA-1")
                    .private("keys", json!({ key: "ssh-ed25519 AAAA" })),
            );
        }
    }
    drafts
}

/// Grows the vault at `layout`, which may hold events but nothing sealed. Nobody else may have it open.
///
/// # Errors
/// When the catalogue or the log can't be written.
pub fn grow(layout: &Layout, signer: &SignerKey, zone: Zone, shape: &Shape) -> Result<()> {
    let connection = Connection::open(layout.catalog())?;
    connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
         PRAGMA cache_size = -1500000; PRAGMA temp_store = FILE;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    let indices: Vec<(String, String)> = connection
        .prepare(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('evidence', 'accession', 'event') \
             AND sql IS NOT NULL",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (name, _) in &indices {
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    let mut growth = Growth::begin(&connection, layout, signer, zone)?;
    connection.execute_batch("BEGIN")?;
    let first_ms = shape.sealed_ms(0);
    for draft in people(shape) {
        growth.append(draft, first_ms)?;
    }
    for number in 0..shape.items {
        if number % BATCH == 0 && number > 0 {
            connection.execute_batch("COMMIT; BEGIN")?;
            eprintln!("{number} items");
        }
        let time_ms = shape.sealed_ms(number);
        growth.append(shape.item(number, time_ms, zone)?.draft, time_ms)?;
    }
    growth.end()?;
    connection.execute_batch("COMMIT")?;
    // What the placer's work leaves behind, in the order of the table: as the events come, each row would go to another page.
    connection.execute_batch(
        "INSERT INTO stored_file (target, leaf_index, size_bytes, blake3) \
         SELECT target, leaf_index, size_bytes, randomblob(32) FROM (\
         SELECT 'headers/' || substr(id, -2) || '/' || id || '.v' || version AS target, leaf_index, 266 AS size_bytes FROM evidence \
         UNION ALL SELECT 'objects/' || customer || '/' || id || '/v' || version || '/record', leaf_index, 900 FROM evidence\
         ) ORDER BY target",
    )?;
    for (name, sql) in &indices {
        eprintln!("{name}");
        connection.execute_batch(sql)?;
    }
    connection.execute_batch("PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL")?;
    connection.close().map_err(|(_, error)| error)?;
    fs::File::open(layout.catalog())?.sync_all()?;
    Ok(())
}

/// The log and the catalogue while they grow.
struct Growth<'a> {
    connection: &'a Connection,
    signer: &'a SignerKey,
    zone: Zone,
    random: SystemRandom,
    log: PathBuf,
    tail: TreeTail,
    /// Entries of the incomplete bundle.
    entries: Vec<Vec<u8>>,
    /// Hashes of the incomplete tile at each level.
    tiles: BTreeMap<u8, Vec<Hash>>,
    /// The first event that no checkpoint covers.
    open_from: u64,
}

impl<'a> Growth<'a> {
    fn begin(connection: &'a Connection, layout: &Layout, signer: &'a SignerKey, zone: Zone) -> Result<Self> {
        let tail = fence::read_tail(connection)?;
        let size = tail.size();
        let full = size - size % WIDTH as u64;
        let levels = tail.tails().iter().enumerate();
        Ok(Growth {
            connection,
            signer,
            zone,
            random: SystemRandom::new(),
            log: layout.log(),
            entries: log_edge::leaves(connection, full, size)?,
            tiles: levels
                .map(|(level, hashes)| (level as u8, hashes.clone()))
                .collect(),
            tail,
            open_from: size,
        })
    }

    /// One event: what the sequencer does with a proposal, without its waits.
    fn append(&mut self, draft: Draft, time_ms: i64) -> Result<()> {
        let index = self.tail.size();
        let (mut commit, mut openings) = (BTreeMap::new(), Openings::new());
        for (field, value) in draft.committed {
            let opening = Opening::new(value, &self.random)?;
            commit.insert(field.clone(), opening.commit(&field));
            openings.insert(field, opening);
        }
        let leaf = Leaf {
            actor: draft.actor,
            commit,
            data: draft.data,
            id: draft.id,
            kind: draft.kind,
            time_ms,
            v: EVENT_VERSION,
        };
        let bytes = canonical::to_canonical(&serde_json::to_value(&leaf)?)?;
        let hash = leaf_hash(&bytes);
        let record = Record {
            leaf_index: index,
            openings,
            private: draft.private,
            leaf_hash: hex::encode(hash.0),
            v: EVENT_VERSION,
        };
        project::apply(self.connection, self.zone, index, &leaf, Some(&record))?;
        self.entries.push(bytes);
        let mut full = Vec::new();
        let tiles = &mut self.tiles;
        self.tail.append(hash, |level, position, hash| {
            let tile = tiles.entry(level).or_default();
            tile.push(hash);
            if tile.len() == WIDTH {
                full.push((level, position / WIDTH as u64, std::mem::take(tile)));
            }
        });
        for (level, index, hashes) in full {
            if level == 0 {
                let bundle = encode_bundle(&std::mem::take(&mut self.entries))?;
                self.write(Content::Entries, index, &bundle)?;
            }
            self.write(Content::Hashes(level), index, &encode_hashes(&hashes))?;
        }
        if self.tail.size().is_multiple_of(GROUP) {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn write(&self, content: Content, index: u64, bytes: &[u8]) -> Result<()> {
        let tile = TileId {
            content,
            index,
            width: WIDTH as u16,
        };
        let path = self.log.join(tile.path());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?;
        // What the sequencer wrote of this tile before.
        match fs::remove_dir_all(path.with_extension("p")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn checkpoint(&mut self) -> Result<()> {
        let size = self.tail.size();
        if size == self.open_from {
            return Ok(());
        }
        let checkpoint = Checkpoint {
            origin: self.signer.verifier().name().to_owned(),
            size,
            root: self.tail.root(),
            extensions: Vec::new(),
        };
        let note = checkpoint.sign(self.signer)?.to_string();
        log_edge::insert_checkpoint(self.connection, size, &note)?;
        project::close_batch(self.connection, self.open_from, size)?;
        self.open_from = size;
        fs::write(self.log.join("checkpoint"), note)?;
        Ok(())
    }

    /// The last checkpoint, and the right edge as the sequencer would have left it.
    fn end(&mut self) -> Result<()> {
        self.checkpoint()?;
        self.connection
            .execute_batch("DELETE FROM log_leaf; DELETE FROM log_hash;")?;
        let size = self.tail.size();
        let full = size - size % WIDTH as u64;
        for (at, bytes) in (full..).zip(&self.entries) {
            log_edge::insert_leaf(self.connection, at, bytes)?;
        }
        for (level, hashes) in (0u8..).zip(self.tail.tails()) {
            let count = size >> (8 * u32::from(level));
            let first = count - hashes.len() as u64;
            for (position, hash) in (first..).zip(hashes) {
                log_edge::insert_hash(self.connection, level, position, hash)?;
            }
        }
        self.connection
            .execute("UPDATE log_published SET size = ?1", params![full as i64])?;
        Ok(())
    }
}
