//! The decryption identities of a running server: there while it is unlocked, wiped when it is locked.
//!
//! It must never know where identities come from, who brought them, or what is read with them.
//!
//! Invariants: a file key comes out only while the keyring is open; when [`Keyring::lock`] returns no identity is left in
//! it, and every [`Lease`] of the time before has ended for good, whatever is unlocked later.
//!
//! What is wiped: the scalars of the identities (`x25519-dalek` does it when they are dropped). What nobody can promise:
//! copies that the compiler left on a stack when an identity was moved, and pages that the system swapped out.

use crate::crypto::{
    FileKey, Identity, Recipient,
    header::{self, HeaderError},
};
use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, Ordering},
};

/// Why nothing can be read now, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The configuration names no identity: this server takes in and never reads.
    #[error(
        "this server holds no decryption key: it only takes evidence in, and it is read where the configuration has a \
         [retrieval] section"
    )]
    IngestOnly,
    /// Nobody has unlocked it, or somebody has locked it.
    #[error("the decryption key is locked: ask a key custodian to run `muniment key unlock`")]
    Locked,
}

impl Closed {
    /// The same in Chinese.
    pub fn chinese(self) -> &'static str {
        match self {
            Closed::IngestOnly => "本服务器只负责接收，不持有解密密钥；请在配置了 [retrieval] 的服务器上查阅",
            Closed::Locked => "解密密钥未解锁，请联系密钥保管人执行 `muniment key unlock`",
        }
    }
}

/// Why there is no file key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The keyring holds nothing now.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The header doesn't open.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// The identities of one server. Clones are the same keyring.
#[derive(Clone)]
pub struct Keyring {
    shared: Arc<RwLock<State>>,
}

enum State {
    IngestOnly,
    Locked,
    Unlocked { identities: Vec<Identity>, lease: Lease },
}

/// One time of being unlocked, as whoever reads holds it. It ends when the keyring is locked, and never comes back.
#[derive(Clone)]
pub struct Lease(Arc<AtomicBool>);

impl Lease {
    /// Whether the keyring was locked since.
    pub fn has_ended(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Keyring {
    /// For a server that never reads: it can't be unlocked.
    pub fn ingest_only() -> Self {
        Self::with(State::IngestOnly)
    }

    /// For a server that may be unlocked.
    pub fn locked() -> Self {
        Self::with(State::Locked)
    }

    /// For a command that was given an identity file and reads by itself.
    pub fn of(identities: Vec<Identity>) -> Self {
        let keyring = Self::locked();
        // A locked keyring takes them.
        let _ = keyring.unlock(identities);
        keyring
    }

    fn with(state: State) -> Self {
        Self {
            shared: Arc::new(RwLock::new(state)),
        }
    }

    /// Takes identities in. Those that were there before are wiped and their leases end.
    ///
    /// # Errors
    /// Where the server was set up never to read.
    pub fn unlock(&self, identities: Vec<Identity>) -> Result<(), Closed> {
        let mut state = self.write();
        match &*state {
            State::IngestOnly => return Err(Closed::IngestOnly),
            State::Locked => {}
            State::Unlocked { lease, .. } => lease.0.store(true, Ordering::Release),
        }
        *state = State::Unlocked {
            identities,
            lease: Lease(Arc::default()),
        };
        Ok(())
    }

    /// Wipes the identities and ends every lease. Says whether there was anything to lock.
    pub fn lock(&self) -> bool {
        let mut state = self.write();
        let State::Unlocked { lease, .. } = &*state else {
            return false;
        };
        lease.0.store(true, Ordering::Release);
        *state = State::Locked;
        true
    }

    /// Whether something can be read now.
    pub fn is_unlocked(&self) -> bool {
        self.closed().is_none()
    }

    /// Why nothing can be read now; nothing when it can.
    pub fn closed(&self) -> Option<Closed> {
        match &*self.read() {
            State::IngestOnly => Some(Closed::IngestOnly),
            State::Locked => Some(Closed::Locked),
            State::Unlocked { .. } => None,
        }
    }

    /// The public halves of what is here now.
    pub fn recipients(&self) -> Vec<Recipient> {
        match &*self.read() {
            State::Unlocked { identities, .. } => identities.iter().map(Identity::recipient).collect(),
            State::IngestOnly | State::Locked => Vec::new(),
        }
    }

    /// The file key that a header holds.
    ///
    /// # Errors
    /// When the keyring is closed, or no identity opens the header.
    pub fn file_key(&self, header: &[u8]) -> Result<FileKey, KeyringError> {
        self.leased_file_key(header).map(|(file_key, _)| file_key)
    }

    /// The same with the lease under which it may be used. Whoever keeps the key looks at the lease before each chunk,
    /// and drops the key when it has ended.
    ///
    /// # Errors
    /// Like [`Keyring::file_key`].
    pub fn leased_file_key(&self, header: &[u8]) -> Result<(FileKey, Lease), KeyringError> {
        match &*self.read() {
            State::IngestOnly => Err(Closed::IngestOnly.into()),
            State::Locked => Err(Closed::Locked.into()),
            State::Unlocked { identities, lease } => Ok((header::unwrap(header, identities)?, lease.clone())),
        }
    }

    /// No code panics while it holds the lock; if it did, the state would still be one of the three.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Recipients;
    use ring::rand::SystemRandom;

    fn sealed_for(identity: &Identity) -> (FileKey, Vec<u8>) {
        let key = FileKey::generate(&SystemRandom::new()).unwrap();
        let header = header::wrap(&key, &Recipients::new(&[identity.recipient()]).unwrap()).unwrap();
        (key, header)
    }

    #[test]
    fn keys_come_out_only_while_it_is_unlocked() {
        let identity = Identity::generate();
        let (key, header) = sealed_for(&identity);
        let keyring = Keyring::locked();
        let refused = |keyring: &Keyring| keyring.file_key(&header).err();
        assert_eq!(refused(&keyring), Some(Closed::Locked.into()));
        assert!(!keyring.lock());

        let same = keyring.clone();
        same.unlock(vec![Identity::generate(), identity.clone()]).unwrap();
        assert!(keyring.is_unlocked());
        assert_eq!(keyring.recipients()[1], identity.recipient());
        assert_eq!(keyring.file_key(&header).unwrap().expose(), key.expose());
        let (_, strange) = sealed_for(&Identity::generate());
        assert_eq!(
            keyring.file_key(&strange).err(),
            Some(KeyringError::Header(HeaderError::NoMatch))
        );

        assert!(same.lock());
        assert_eq!(refused(&keyring), Some(Closed::Locked.into()));
        assert!(keyring.recipients().is_empty() && !keyring.is_unlocked());
    }

    #[test]
    fn a_lease_ends_with_the_lock_and_never_comes_back() {
        let identity = Identity::generate();
        let (_, header) = sealed_for(&identity);
        let keyring = Keyring::of(vec![identity.clone()]);
        let lease = |keyring: &Keyring| keyring.leased_file_key(&header).unwrap().1;
        let first = lease(&keyring);
        assert!(!first.has_ended());
        keyring.lock();
        assert!(first.has_ended());
        keyring.unlock(vec![identity.clone()]).unwrap();
        let second = lease(&keyring);
        assert!(first.has_ended() && !second.has_ended());
        // Other identities in the place of the first end what those opened.
        keyring.unlock(vec![identity]).unwrap();
        assert!(second.has_ended() && !lease(&keyring).has_ended());
    }

    #[test]
    fn a_server_that_only_takes_in_is_never_unlocked_and_says_so_in_both_languages() {
        let keyring = Keyring::ingest_only();
        assert_eq!(
            keyring.unlock(vec![Identity::generate()]),
            Err(Closed::IngestOnly)
        );
        assert_eq!(keyring.closed(), Some(Closed::IngestOnly));
        assert!(!keyring.lock());
        assert!(Closed::IngestOnly.to_string().contains("only takes evidence in"));
        assert!(Closed::Locked.to_string().contains("muniment key unlock"));
        assert!(Closed::Locked.chinese().contains("解密密钥未解锁"));
        assert!(Closed::IngestOnly.chinese().contains("只负责接收"));
    }
}
