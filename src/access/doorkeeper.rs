//! The doorkeeper: from a key or certificate to a person, from a person's roles to the tree they see.

use super::{
    authorizer::Who,
    policy::{self, Area},
    refusal::Refusal,
    refusals::Refused,
    refusing::Refusing,
    room::ReadingRoom,
};
use crate::{
    catalog::{
        CatalogueError,
        people::{self, Person},
    },
    domain::role::Role,
    ingest::{
        Ingest,
        inbox::{Inbox, OpenPaths, Uploader},
    },
    sftp::space::{FileSpace, Result, SpaceError, SpaceErrorKind},
    ssh::{Doorkeeper, Login, certificate},
    tlog::key::VerifierKey,
    views::{
        evidence::EvidenceTree,
        log::LogFolder,
        mount::Mount,
        readme,
        receipts::{ReceiptBook, Receipts, Scope},
        reports::reports,
        tasks::tasks,
        tree::ReadOnly,
        witness::{WitnessDesk, WitnessDrop},
    },
};
use russh::keys::{Certificate, HashAlg, PublicKey};
use std::{net::SocketAddr, sync::Arc};

/// Lets people in and shows them what their roles see.
pub struct AccessDoorkeeper {
    ingest: Arc<Ingest>,
    open_paths: Arc<OpenPaths>,
    book: Arc<ReceiptBook>,
    desk: WitnessDesk,
    authorities: Vec<PublicKey>,
    room: Arc<ReadingRoom>,
}

impl AccessDoorkeeper {
    /// A doorkeeper for this vault. `authorities` are the keys whose user certificates count.
    pub fn new(
        ingest: Arc<Ingest>,
        open_paths: Arc<OpenPaths>,
        room: Arc<ReadingRoom>,
        witnesses: Vec<VerifierKey>,
        authorities: Vec<PublicKey>,
    ) -> Self {
        let desk = WitnessDesk {
            log: room.log.clone(),
            custody: ingest.custody.clone(),
            witnesses: witnesses.into(),
            clock: ingest.clock.clone(),
            random: ingest.random.clone(),
        };
        let book = Arc::new(ReceiptBook::new(room.log.clone(), ingest.zone));
        AccessDoorkeeper {
            ingest,
            open_paths,
            book,
            desk,
            authorities,
            room,
        }
    }

    /// An active person by log-in name; `None` also when that can't be found out.
    fn active(&self, user: &str) -> Option<Person> {
        let found = self
            .ingest
            .catalogue
            .read(|connection| people::by_name(connection, user));
        found
            .unwrap_or_else(unreadable)
            .filter(|person| person.disabled_ms.is_none())
    }

    fn space(&self, login: &Login, person: &Person, session: &str) -> Mount {
        let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| person.holds(*role)).collect();
        let sees = |area: Area| roles.iter().any(|role| policy::areas(*role).contains(&area));
        let (ingest, log) = (&self.ingest, &self.desk.log);
        let mut readme = match (sees(Area::Inbox), sees(Area::Log), sees(Area::Evidence)) {
            (true, _, _) => readme::UPLOADER,
            (_, true, _) => readme::AUDITOR,
            (_, _, true) => readme::RETRIEVER,
            _ => readme::NOTHING_HERE,
        }
        .to_owned();
        if sees(Area::Evidence) {
            readme += readme::EVIDENCE;
        }
        let now_ms = ingest.clock.now_ms();
        let mut mount = Mount::new(readme::file(&readme), now_ms, ingest.layout.clone());
        // Roles that work for a branch show nothing to a person without one.
        if let Some(branch) = &person.branch {
            if sees(Area::Inbox) {
                let uploader = Uploader {
                    person: person.id.clone(),
                    branch: branch.clone(),
                    key_fingerprint: login.key_fingerprint.clone(),
                };
                mount.add(
                    "inbox",
                    Inbox::new(ingest.clone(), self.open_paths.clone(), uploader),
                );
            }
            if sees(Area::BranchReceipts) {
                let scope = Scope::Branch(branch.clone());
                mount.add("receipts", ReadOnly(Receipts::new(self.book.clone(), scope)));
            }
        }
        if sees(Area::Tasks) {
            let tasks = tasks(
                ingest.catalogue.clone(),
                person.id.clone(),
                ingest.zone,
                ingest.clock.clone(),
            );
            mount.add("tasks", ReadOnly(tasks));
        }
        if sees(Area::AllReceipts) {
            mount.add("receipts", ReadOnly(Receipts::new(self.book.clone(), Scope::All)));
        }
        if sees(Area::Log) {
            let witnesses = self.desk.witnesses.clone();
            mount.add(
                "log",
                ReadOnly(LogFolder::new(log.clone(), witnesses, ingest.clock.clone())),
            );
        }
        if sees(Area::Reports) {
            mount.add(
                "reports",
                ReadOnly(reports(log.clone(), ingest.zone, ingest.clock.clone())),
            );
        }
        if sees(Area::Witness) {
            mount.add("witness", WitnessDrop::new(self.desk.clone(), person.id.clone()));
        }
        if sees(Area::Evidence) {
            let who = Who::person(person.id.as_str());
            let tree = EvidenceTree::new(self.room.clone(), who, session.to_owned());
            mount.add("evidence", ReadOnly(tree));
        }
        for name in roles.iter().flat_map(|role| policy::recorded_refusals(*role)) {
            let refusals = self.room.refusals.clone();
            let refused = Refused {
                person: Some(person.id.clone()),
                what: "sftp".to_owned(),
                evidence: None,
                why: Refusal::NotYourRole.id().to_owned(),
            };
            mount.add_unlisted(name, Refusing(Box::new(move || refusals.record(refused.clone()))));
        }
        mount
    }
}

impl Doorkeeper for AccessDoorkeeper {
    fn by_key(&self, user: &str, fingerprint_sha256: &str, _: &PublicKey, peer: SocketAddr) -> Option<Login> {
        let person = self.active(user)?;
        let known = person
            .keys
            .iter()
            .any(|fingerprint| fingerprint == fingerprint_sha256);
        known.then(|| Login {
            person_id: person.id,
            user_name: person.name,
            key_fingerprint: fingerprint_sha256.to_owned(),
            by_certificate: false,
            peer,
        })
    }

    fn by_certificate(&self, user: &str, given: &Certificate, peer: SocketAddr) -> Option<Login> {
        let now_s = u64::try_from(self.ingest.clock.now_ms() / 1000).ok()?;
        certificate::verify(given, user, peer.ip(), now_s, &self.authorities).ok()?;
        let person = self.active(user)?;
        Some(Login {
            person_id: person.id,
            user_name: person.name,
            key_fingerprint: given.public_key().fingerprint(HashAlg::Sha256).to_string(),
            by_certificate: true,
            peer,
        })
    }

    fn open_space(&self, login: &Login, session: &str) -> Result<Box<dyn FileSpace>> {
        let failed = |error: CatalogueError| {
            let _: Option<()> = unreadable(error);
            SpaceError::new(
                SpaceErrorKind::Failure,
                "the vault can't be read at the moment; try again later",
            )
        };
        let person = self
            .ingest
            .catalogue
            .read(|connection| people::by_id(connection, &login.person_id))
            .map_err(failed)?;
        let may_stay = |person: &Person| {
            person.disabled_ms.is_none()
                && (login.by_certificate || person.keys.contains(&login.key_fingerprint))
        };
        match person.filter(may_stay) {
            Some(person) => Ok(Box::new(self.space(login, &person, session))),
            None => Err(SpaceError::new(
                SpaceErrorKind::PermissionDenied,
                "this access was ended",
            )),
        }
    }

    fn refused(&self, _user: &str, method: &str, peer: SocketAddr, reason: &str) {
        // What a stranger claims to be called isn't logged: it may be a password typed into the wrong field.
        tracing::info!(method, peer = %peer.ip(), reason, "a log-in was refused");
    }
}

fn unreadable<T>(error: CatalogueError) -> Option<T> {
    tracing::error!(%error, "the catalogue can't be read, so nobody is let in");
    None
}
