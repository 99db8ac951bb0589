//! Where commands hand over to the use cases: one function each.

use super::{
    context::Reading,
    log::{public_key_path, read_public_key},
};
use anyhow::Context as _;
use muniment::{
    blob::{Layout, VaultLock},
    catalog::receipts,
    config::Config,
    crypto::{Identity, Passphrase},
    custody::{fixity, log_view::LogView, rebuild, receipt},
    domain::event::Draft,
    server,
    tlog::store::LogDir,
};

/// A receipt's three forms.
pub(super) struct Receipt {
    pub(super) text: Vec<u8>,
    /// The leaf's bytes exactly as logged.
    pub(super) json: Vec<u8>,
    pub(super) proof: Vec<u8>,
}

/// Opens a vault whose catalogue is empty and commits its first event, before anything else can be.
pub(super) fn create(config: Config, first: Draft) -> anyhow::Result<()> {
    server::VaultHandle::create(config, "muniment init", first)?.close();
    Ok(())
}

/// Runs the server until it is told to stop. A passphrase unlocks the configured identity at the start. `announce` is told
/// the addresses once clients can connect.
pub(super) fn serve(
    config: Config,
    passphrase: Option<Passphrase>,
    announce: impl FnOnce(server::serve::Addresses),
) -> anyhow::Result<()> {
    Ok(server::serve::serve(config, passphrase, announce)?)
}

/// Compares the store with catalogue and log; with identities the originals too. Commits nothing.
pub(super) fn check_fixity(
    reading: &Reading,
    identities: Option<&[Identity]>,
    progress: &dyn Fn(u64, u64),
) -> anyhow::Result<fixity::Report> {
    let subject = fixity::Subject {
        layout: &reading.layout,
        catalogue: &reading.catalogue,
        log_dir: &LogDir::new(reading.layout.log()),
        verifier: &read_public_key(&public_key_path(&reading.config.keys.log_key))?,
        identities,
    };
    Ok(fixity::check(&subject, progress))
}

/// Makes the catalogue again while no server can run. Commits nothing.
pub(super) fn rebuild(
    config: &Config,
    identities: &[Identity],
    progress: &dyn Fn(u64, u64),
) -> anyhow::Result<rebuild::Rebuilt> {
    let layout = Layout::new(&config.vault.path);
    let _lock = VaultLock::acquire(&layout, "muniment rebuild")?;
    let source = rebuild::Source {
        layout: &layout,
        origin: &config.vault.origin,
        zone: config.zone(),
        log_dir: &LogDir::new(layout.log()),
        verifier: &read_public_key(&public_key_path(&config.keys.log_key))?,
        identities,
    };
    Ok(rebuild::rebuild(&source, progress)?)
}

/// A receipt by its number.
pub(super) fn receipt(reading: &Reading, number: u64) -> anyhow::Result<Receipt> {
    let key = read_public_key(&public_key_path(&reading.config.keys.log_key))?;
    let log = LogView::new(reading.catalogue.clone(), LogDir::new(reading.layout.log()), key);
    let row = reading
        .catalogue
        .read(|catalogue| receipts::by_number(catalogue, number))?
        .with_context(|| {
            format!("the catalogue has no receipt {number}: `muniment rebuild` makes it again")
        })?;
    log.wait_for(row.commit_size)?;
    let receipt = receipt::Receipt::load(&log, row)?;
    Ok(Receipt {
        text: receipt.text(reading.config.zone()),
        json: receipt.json().to_owned(),
        proof: receipt.proof(&log)?,
    })
}
