//! The composed vault: the one place that names concrete parts. `muniment serve` and offline administration open the same.
//!
//! Invariant: whoever holds a [`VaultHandle`] holds the vault's lock, so there is one sequencer at a time.

pub(crate) mod console;
pub(crate) mod live;
pub mod serve;
mod unlock;

use crate::{
    access::{
        ReadingRoom, checks::Checks, content::Contents, keyring::Keyring, live::LiveReads, refusals::Refusals,
    },
    admin,
    blob::{BlobError, Disk, ImmutableSupport, Layout, LockError, Store, VaultLock},
    catalog::{Catalogue, CatalogueError, Writer, doctypes, placements},
    config::Config,
    crypto::{Recipient, Recipients, StagingKey, identity, staging_key::StagingKeyError},
    custody::{
        edge::Publisher,
        fence::FenceError,
        log_view::LogView,
        sequencer::{CommitError, Custody, Parts, Proposed, Sequencer},
    },
    domain::{
        customer::Numbers,
        doctype::{CurrentTypes, DEFAULT_TABLE, DocumentTypes},
        event::{Draft, Kind},
        id::new_id,
        time::{Clock, SystemClock},
    },
    ingest::{
        Ingest, Rules, inbox::OpenPaths, locks::PathLocks, naming::Templates, structure::ContainerWalk,
        upload::Tools,
    },
    inspect::{
        deep::{DeepQueue, Parts as DeepParts, Signals},
        gate::{Gate, Inspector, Late},
        malware::Clamd,
        process::WorkerSettings,
        workers::Workers,
    },
    seal::{Sealer, placer::Placer},
    tlog::{
        key::{KeyError, SignerKey, VerifierKey},
        store::{LogDir, StoreError},
    },
};
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, mpsc::channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a stopping vault waits for files that commits promised.
const PLACEMENT_GRACE: Duration = Duration::from_secs(60);

/// Why a vault can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Somebody else has it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The catalogue refuses.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The store refuses.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The log may not be signed.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The log's folder refuses.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The staging key can't be used.
    #[error("{path}: {error}")]
    StagingKey {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: StagingKeyError,
    },
    /// Another key can't be read or used.
    #[error("{what}: {error}")]
    Key {
        /// Which key.
        what: String,
        /// Why.
        error: String,
    },
    /// A rule of the configuration makes no sense.
    #[error("configuration: {0}")]
    Rule(String),
    /// An event of the opening couldn't be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What a crash left couldn't be put in order.
    #[error(transparent)]
    Salvage(#[from] crate::ingest::settle::SettleError),
    /// A thread couldn't be started.
    #[error("a thread couldn't be started: {0}")]
    Thread(std::io::Error),
}

/// A vault that is open for writing.
pub struct Vault {
    /// The configuration it was opened with.
    pub config: Config,
    /// Where everything lies.
    pub layout: Layout,
    /// Reads.
    pub catalogue: Catalogue,
    /// Commits.
    pub custody: Custody,
    /// Says which files an event promises.
    pub sealer: Sealer,
    /// Taking in.
    pub ingest: Arc<Ingest>,
    /// Giving out.
    pub room: Arc<ReadingRoom>,
    /// Inbox paths that are open, over all sessions.
    pub open_paths: Arc<OpenPaths>,
    /// Wakes the deep queue.
    pub deep: Arc<Signals>,
    /// Opens what is sealed, while a key custodian has unlocked it.
    pub keyring: Keyring,
    /// The custody log on disk.
    pub log_dir: LogDir,
    /// The log's public key.
    pub verifier: VerifierKey,
    /// Witnesses whose cosignatures are taken in.
    pub witnesses: Vec<VerifierKey>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
}

impl Vault {
    /// A new id.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new_id(&self) -> Result<String, CommitError> {
        new_id(self.random.as_ref(), self.clock.now_ms())
            .map_err(|_| CommitError::Storage("the system has no randomness".to_owned()))
    }

    /// Commits an event that depends on nothing but itself; its record, if it has a private half, goes to the registry.
    ///
    /// # Errors
    /// When the commit fails.
    pub fn commit(&self, draft: Draft) -> Result<crate::custody::sequencer::Committed, CommitError> {
        let place = if draft.has_record() {
            Some(self.sealer.registry(draft.id.clone()))
        } else {
            None
        };
        self.custody.commit(move |_| Ok(Proposed { draft, place }))
    }
}

/// A vault open for writing, with its lock and threads. Dropping it finishes what is queued.
pub struct VaultHandle {
    vault: Arc<Vault>,
    sequencer: Sequencer,
    placer: Placer,
    deep: Option<DeepQueue>,
    finisher: Option<JoinHandle<()>>,
    _lock: VaultLock,
}

impl Deref for VaultHandle {
    type Target = Arc<Vault>;
    fn deref(&self) -> &Arc<Vault> {
        &self.vault
    }
}

impl VaultHandle {
    /// Takes the lock, checks the fence, and starts the vault's threads. `purpose` tells others who holds the lock.
    ///
    /// # Errors
    /// When the vault is in use, damaged, or its log may not be signed.
    pub fn open(config: Config, purpose: &str) -> Result<Self, VaultError> {
        let inspector = workers(&config)?;
        Self::open_inspected_by(config, purpose, inspector)
    }

    /// The same with another inspector than the configuration's.
    ///
    /// # Errors
    /// Like [`VaultHandle::open`].
    pub fn open_inspected_by(
        config: Config,
        purpose: &str,
        inspector: Arc<dyn Inspector>,
    ) -> Result<Self, VaultError> {
        let (handle, support) = Self::start(config, purpose, inspector)?;
        handle.state_capability(&support)?;
        handle.publish_shipped_types()?;
        Ok(handle)
    }

    /// Opens a vault whose catalogue is empty and commits its first event, before anything else can be.
    ///
    /// # Errors
    /// Like [`VaultHandle::open`].
    pub fn create(config: Config, purpose: &str, first: Draft) -> Result<Self, VaultError> {
        let inspector = workers(&config)?;
        let (handle, support) = Self::start(config, purpose, inspector)?;
        handle.commit(first)?;
        handle.state_capability(&support)?;
        handle.publish_shipped_types()?;
        Ok(handle)
    }

    fn start(
        config: Config,
        purpose: &str,
        inspector: Arc<dyn Inspector>,
    ) -> Result<(Self, ImmutableSupport), VaultError> {
        let layout = Layout::new(&config.vault.path);
        let lock = VaultLock::acquire(&layout, purpose)?;
        let random: Arc<dyn SecureRandom + Send + Sync> = Arc::new(SystemRandom::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let signer = read_signer(&config.keys.log_key)?;
        let verifier = signer.verifier().clone();
        if verifier.name() != config.vault.origin {
            return Err(VaultError::Key {
                what: config.keys.log_key.display().to_string(),
                error: format!(
                    "it signs for {}, not for vault.origin {}",
                    verifier.name(),
                    config.vault.origin
                ),
            });
        }
        let recipients = recipients(&config)?;
        let witnesses = witnesses(&config)?;
        let staging_key =
            StagingKey::load(&config.keys.staging_key).map_err(|error| VaultError::StagingKey {
                path: config.keys.staging_key.clone(),
                error,
            })?;
        let catalogue_path = layout.catalog();
        // First, because it brings an older schema up to date.
        let writer = Writer::open(&catalogue_path)?;
        let catalogue = Catalogue::open(&catalogue_path)?;
        let rules = rules(&config, document_types(&catalogue)?)?;
        let support = if config.vault.immutable_flag {
            ImmutableSupport::probe(&layout)?
        } else {
            ImmutableSupport::Unsupported("switched off in the configuration".to_owned())
        };
        let (placer_wake, placer_inbox) = channel();
        let parts = Parts {
            writer,
            reopen: Box::new(move || Writer::open(&catalogue_path)),
            signer,
            origin: config.vault.origin.clone(),
            zone: config.zone(),
            clock: clock.clone(),
            random: random.clone(),
            stopped_file: layout.log_stopped(),
            placer: placer_wake,
        };
        let publisher = Publisher::new(layout.log())?;
        let (sequencer, custody) = Sequencer::start(parts, publisher, catalogue.clone())?;
        let store = Store::new(layout.clone(), support.clone());
        let placer = Placer::start(
            catalogue.clone(),
            custody.clone(),
            store,
            layout.clone(),
            placer_inbox,
        )
        .map_err(VaultError::Thread)?;

        let sealer = Sealer::new(recipients, random.clone(), layout.clone());
        let ids = (random.clone(), clock.clone());
        let tools = Tools {
            layout: layout.clone(),
            disk: Disk::start().map_err(VaultError::Thread)?,
            random: random.clone(),
            new_id: Arc::new(move || {
                new_id(ids.0.as_ref(), ids.1.now_ms()).map_err(|_| crate::crypto::RandomError)
            }),
            limit_bytes: config.ingest.max_file_bytes,
        };
        let (gate, late) = Gate::start(inspector, gate_workers(&config)).map_err(VaultError::Thread)?;
        let ingest = Arc::new(Ingest {
            catalogue: catalogue.clone(),
            custody: custody.clone(),
            sealer: sealer.clone(),
            layout: layout.clone(),
            staging_key,
            tools,
            gate,
            structure: Box::new(ContainerWalk::default()),
            rules,
            clock: clock.clone(),
            random: random.clone(),
            zone: config.zone(),
            locks: PathLocks::default(),
        });
        let finisher = finish_late(ingest.clone(), late).map_err(VaultError::Thread)?;
        let keyring = match &config.retrieval {
            Some(_) => Keyring::locked(),
            None => Keyring::ingest_only(),
        };
        let log_dir = LogDir::new(layout.log());
        let room = Arc::new(ReadingRoom {
            contents: Contents::new(layout.clone(), catalogue.clone(), keyring.clone()),
            log: LogView::new(catalogue.clone(), log_dir.clone(), verifier.clone()).beside(&custody),
            checks: Checks::default(),
            refusals: Refusals::new(custody.clone(), clock.clone(), random.clone()),
            reads: LiveReads::start(custody.clone(), clock.clone(), random.clone())
                .map_err(VaultError::Thread)?,
            catalogue: catalogue.clone(),
            custody: custody.clone(),
            sealer: sealer.clone(),
            layout: layout.clone(),
            clock: clock.clone(),
            random: random.clone(),
            zone: config.zone(),
        });
        let vault = Arc::new(Vault {
            log_dir,
            keyring,
            room,
            config,
            layout,
            catalogue,
            custody,
            sealer,
            ingest,
            open_paths: Arc::default(),
            deep: Arc::default(),
            verifier,
            witnesses,
            clock,
            random,
        });
        let handle = VaultHandle {
            vault,
            sequencer,
            placer,
            deep: None,
            finisher: Some(finisher),
            _lock: lock,
        };
        Ok((handle, support))
    }

    /// Starts working through what is due in the background. Only after staging was put in order, and only in a server:
    /// administration on the host doesn't wait for films.
    ///
    /// # Errors
    /// When the programs' place isn't known, or the thread can't be started.
    pub fn inspect_in_background(&mut self) -> Result<(), VaultError> {
        let config = &self.vault.config.inspect;
        let settings = WorkerSettings::from_config(config).map_err(VaultError::Thread)?;
        let queue = DeepQueue::start(DeepParts {
            ingest: self.vault.ingest.clone(),
            work: Arc::new(settings),
            playback: config.playback,
            signals: self.vault.deep.clone(),
        });
        self.deep = Some(queue.map_err(VaultError::Thread)?);
        Ok(())
    }

    /// Says in the log what the store can enforce, when that changed.
    fn state_capability(&self, support: &ImmutableSupport) -> Result<(), VaultError> {
        let (flag, detail) = match support {
            ImmutableSupport::Supported => ("supported", None),
            ImmutableSupport::Unsupported(reason) => ("unsupported", Some(reason)),
        };
        let known: Option<String> = self.catalogue.read(|connection| {
            Ok(connection.query_row("SELECT immutable_flag FROM vault", [], |row| row.get(0))?)
        })?;
        if known.as_deref() == Some(flag) {
            return Ok(());
        }
        let mut draft =
            Draft::new(Kind::StoreCapability, self.new_id()?, "system").fact("immutable_flag", flag);
        if let Some(detail) = detail {
            let ascii: String = detail.chars().filter(char::is_ascii).collect();
            draft = draft.fact("detail", ascii);
        }
        self.commit(draft)?;
        Ok(())
    }

    /// A vault without document types gets those that ship: what judges stands in the log before anything is judged.
    fn publish_shipped_types(&self) -> Result<(), VaultError> {
        let types = self.ingest.rules.types.current();
        if types.version() > 0 {
            return Ok(());
        }
        let last = self.catalogue.read(doctypes::last_version)?;
        let event = self.new_id()?;
        let place = self.sealer.registry(event.clone());
        let published = Arc::clone(&types);
        self.custody.commit(move |turn| {
            let draft =
                admin::doctypes::publish(turn.connection, &event, "system", published.as_ref(), last)?;
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?;
        let types = DocumentTypes::clone(&types).published_as(last + 1);
        self.ingest.rules.types.advance(types);
        Ok(())
    }

    /// Waits until every file that a commit promised is in its place, or the grace is over.
    pub fn settle_placements(&self) {
        let step = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        while waited < PLACEMENT_GRACE {
            match self.catalogue.read(placements::pending_count) {
                Ok(0) | Err(_) => return,
                Ok(_) => std::thread::sleep(step),
            }
            waited += step;
        }
    }

    /// Ends the threads in order: what is queued is committed, what is promised is placed.
    pub fn close(mut self) {
        // First, so that what it still commits is placed.
        drop(self.deep.take());
        if self.keyring.is_unlocked()
            && let Err(error) = admin::keyring::lock(&self.vault, admin::keyring::Locked::Stop)
        {
            tracing::error!(%error, "the decryption key is wiped, but the log doesn't say so");
        }
        self.room.stop();
        self.ingest.gate.stop();
        if let Some(finisher) = self.finisher.take() {
            let _ = finisher.join();
        }
        self.settle_placements();
        self.placer.stop();
        self.sequencer.stop();
    }
}

/// The inspector that the configuration describes.
fn workers(config: &Config) -> Result<Arc<dyn Inspector>, VaultError> {
    let rule = |error: &dyn std::fmt::Display| VaultError::Rule(error.to_string());
    let scanner = config
        .inspect
        .clamd
        .as_deref()
        .map(str::parse::<Clamd>)
        .transpose();
    let scanner = scanner.map_err(|error| rule(&error))?;
    let settings = WorkerSettings::from_config(&config.inspect).map_err(|error| rule(&error))?;
    Ok(Arc::new(Workers::new(settings, scanner)))
}

/// Threads of the gate: as configured, else one a core and at least two.
fn gate_workers(config: &Config) -> usize {
    match config.inspect.gate_workers {
        0 => thread::available_parallelism().map_or(2, |cores| cores.get().max(2)),
        workers => workers,
    }
}

/// Settles uploads whose inspection outlasted their clients, until the gate is gone.
fn finish_late(ingest: Arc<Ingest>, late: Late) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("inspected".to_owned()).spawn(move || {
        for answer in late {
            let id = answer.id.clone();
            if let Err(error) = ingest.settle_late(answer) {
                tracing::error!(%error, accession = id, "an inspected upload couldn't be settled; it is looked at again");
            }
        }
    })
}

/// Reads the log's signing key.
///
/// # Errors
/// When it can't be read or is no key.
pub fn read_signer(path: &Path) -> Result<SignerKey, VaultError> {
    let failed = |error: String| VaultError::Key {
        what: path.display().to_string(),
        error,
    };
    let text =
        zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?);
    SignerKey::parse(text.trim()).map_err(|error: KeyError| failed(error.to_string()))
}

fn recipients(config: &Config) -> Result<Recipients, VaultError> {
    let failed = |what: String| {
        move |error: identity::KeyError| VaultError::Key {
            what,
            error: error.to_string(),
        }
    };
    let parse = |text: &String| text.parse().map_err(failed(format!("keys.recipients {text}")));
    let all: Vec<Recipient> = config
        .keys
        .recipients
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()?;
    Recipients::new(&all).map_err(failed("keys.recipients".to_owned()))
}

fn witnesses(config: &Config) -> Result<Vec<VerifierKey>, VaultError> {
    let parse = |text: &String| {
        VerifierKey::parse(text).map_err(|error| VaultError::Key {
            what: format!("keys.witnesses {text}"),
            error: error.to_string(),
        })
    };
    config.keys.witnesses.iter().map(parse).collect()
}

/// The table that judges: the newest that was published, else the one that ships, as version 0.
fn document_types(catalogue: &Catalogue) -> Result<DocumentTypes, VaultError> {
    let rule = |error: &dyn std::fmt::Display| VaultError::Rule(error.to_string());
    let Some(published) = catalogue.read(doctypes::newest)? else {
        return DocumentTypes::from_toml(DEFAULT_TABLE).map_err(|error| rule(&error));
    };
    let types = DocumentTypes::from_toml(published.text.as_deref().unwrap_or_default()).map_err(|error| {
        rule(&format!(
            "version {} in the catalogue: {error}",
            published.version
        ))
    })?;
    Ok(types.published_as(published.version))
}

fn rules(config: &Config, types: DocumentTypes) -> Result<Rules, VaultError> {
    let rule = |error: &dyn std::fmt::Display| VaultError::Rule(error.to_string());
    let ingest = &config.ingest;
    Ok(Rules {
        templates: Templates::new(&ingest.name_patterns).map_err(|error| rule(&error))?,
        numbers: Numbers {
            customer: ingest.customer_pattern.parse().map_err(|error| rule(&error))?,
            flow: ingest.flow_pattern.parse().map_err(|error| rule(&error))?,
        },
        types: Arc::new(CurrentTypes::new(types)),
        waiting_hours: ingest.waiting_hours,
        settled_in_view_hours: ingest.settled_in_view_hours,
        max_waiting_per_person: ingest.max_waiting_per_person,
        reserve_bytes: config.vault.reserve_bytes,
        close_wait: Duration::from_millis(config.inspect.close_wait_ms),
        deep: config.inspect.deep,
        sm3: config.inspect.sm3,
    })
}
