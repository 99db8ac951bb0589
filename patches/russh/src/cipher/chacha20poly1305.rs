// Copyright 2016 Pierre-Étienne Meunier
//
// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
// http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.
//

// http://cvsweb.openbsd.org/cgi-bin/cvsweb/src/usr.bin/ssh/PROTOCOL.chacha20poly1305?annotate=HEAD

#[cfg(all(not(feature = "openssl"), feature = "aws-lc-rs"))]
use aws_lc_rs::aead::chacha20_poly1305_openssh;
#[cfg(feature = "openssl")]
use libcrypto as chacha20_poly1305_openssh;
#[cfg(all(
    not(feature = "openssl"),
    not(feature = "aws-lc-rs"),
    feature = "ring"
))]
use ring::aead::chacha20_poly1305_openssh;

use super::super::Error;
use crate::mac::MacAlgorithm;

pub struct SshChacha20Poly1305Cipher {}

impl super::Cipher for SshChacha20Poly1305Cipher {
    fn key_len(&self) -> usize {
        chacha20_poly1305_openssh::KEY_LEN
    }

    fn make_opening_key(
        &self,
        k: &[u8],
        _: &[u8],
        _: &[u8],
        _: &dyn MacAlgorithm,
    ) -> Box<dyn super::OpeningKey + Send> {
        Box::new(OpeningKey(chacha20_poly1305_openssh::OpeningKey::new(
            #[allow(clippy::unwrap_used)]
            k.try_into().unwrap(),
        )))
    }

    fn make_sealing_key(
        &self,
        k: &[u8],
        _: &[u8],
        _: &[u8],
        _: &dyn MacAlgorithm,
    ) -> Box<dyn super::SealingKey + Send> {
        Box::new(SealingKey(chacha20_poly1305_openssh::SealingKey::new(
            #[allow(clippy::unwrap_used)]
            k.try_into().unwrap(),
        )))
    }
}

pub struct OpeningKey(chacha20_poly1305_openssh::OpeningKey);

pub struct SealingKey(chacha20_poly1305_openssh::SealingKey);

impl super::OpeningKey for OpeningKey {
    fn decrypt_packet_length(
        &self,
        sequence_number: u32,
        encrypted_packet_length: &[u8],
    ) -> [u8; 4] {
        self.0.decrypt_packet_length(
            sequence_number,
            #[allow(clippy::unwrap_used)]
            encrypted_packet_length.try_into().unwrap(),
        )
    }

    fn tag_len(&self) -> usize {
        chacha20_poly1305_openssh::TAG_LEN
    }

    fn open<'a>(
        &mut self,
        sequence_number: u32,
        ciphertext_and_tag: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        let ciphertext_len = ciphertext_and_tag.len() - self.tag_len();
        let (ciphertext_in_plaintext_out, tag) = ciphertext_and_tag.split_at_mut(ciphertext_len);

        self.0
            .open_in_place(
                sequence_number,
                ciphertext_in_plaintext_out,
                #[allow(clippy::unwrap_used)]
                &tag.try_into().unwrap(),
            )
            .map_err(|_| Error::DecryptionError)
    }
}

impl super::SealingKey for SealingKey {
    fn padding_length(&self, payload: &[u8]) -> usize {
        let block_size = 8;
        let extra_len = super::PACKET_LENGTH_LEN + super::PADDING_LENGTH_LEN;
        let padding_len = if payload.len() + extra_len <= super::MINIMUM_PACKET_LEN {
            super::MINIMUM_PACKET_LEN - payload.len() - super::PADDING_LENGTH_LEN
        } else {
            block_size - ((super::PADDING_LENGTH_LEN + payload.len()) % block_size)
        };
        if padding_len < super::PACKET_LENGTH_LEN {
            padding_len + block_size
        } else {
            padding_len
        }
    }

    // As explained in "SSH via CTR mode with stateful decryption" in
    // https://openvpn.net/papers/ssh-security.pdf, the padding doesn't need to
    // be random because we're doing stateful counter-mode encryption. Use
    // fixed padding to avoid PRNG overhead.
    fn fill_padding(&self, padding_out: &mut [u8]) {
        for padding_byte in padding_out {
            *padding_byte = 0;
        }
    }

    fn tag_len(&self) -> usize {
        chacha20_poly1305_openssh::TAG_LEN
    }

    fn seal(
        &mut self,
        sequence_number: u32,
        plaintext_in_ciphertext_out: &mut [u8],
        tag: &mut [u8],
    ) {
        self.0.seal_in_place(
            sequence_number,
            plaintext_in_ciphertext_out,
            #[allow(clippy::unwrap_used)]
            tag.try_into().unwrap(),
        );
    }
}

/// The same interface as `ring::aead::chacha20_poly1305_openssh`, by OpenSSL's libcrypto, whose Poly1305 is vectorized.
#[cfg(feature = "openssl")]
mod libcrypto {
    use std::cell::RefCell;
    use std::ptr;

    use openssl::cipher::Cipher;
    use openssl::cipher_ctx::CipherCtx;
    use openssl::error::ErrorStack;
    use openssl::memcmp;
    use openssl_sys as ffi;

    use crate::cipher::PACKET_LENGTH_LEN;

    pub const KEY_LEN: usize = 64;
    pub const TAG_LEN: usize = 16;

    /// ChaCha20 with a 64-bit block counter and the sequence number as its nonce.
    struct Stream(CipherCtx);

    impl Stream {
        fn new(key: &[u8]) -> Result<Self, ErrorStack> {
            let mut context = CipherCtx::new()?;
            context.encrypt_init(Some(Cipher::chacha20()), Some(key), None)?;
            Ok(Self(context))
        }

        /// Encrypts or decrypts, which is the same, with the key stream from the given block on.
        fn apply(
            &mut self,
            sequence_number: u32,
            block: u8,
            data: &mut [u8],
        ) -> Result<(), ErrorStack> {
            let mut iv = [0; 16];
            iv[0] = block;
            iv[8..].copy_from_slice(&u64::from(sequence_number).to_be_bytes());
            self.0.encrypt_init(None, None, Some(&iv))?;
            let length = data.len();
            self.0.cipher_update_inplace(data, length)?;
            Ok(())
        }
    }

    /// Poly1305 with a key for each packet. By `EVP_MAC`, for which the `openssl` crate has no type: what it has
    /// (`Signer`) looks the algorithm up for each key, which costs as much as a packet.
    struct Poly1305(*mut ffi::EVP_MAC_CTX);

    // SAFETY: the context is this value's alone, and no call on it depends on the thread.
    unsafe impl Send for Poly1305 {}

    impl Poly1305 {
        fn new() -> Result<Self, ErrorStack> {
            ffi::init();
            // SAFETY: the name is a C string, and the other pointers may be null.
            let mac =
                unsafe { ffi::EVP_MAC_fetch(ptr::null_mut(), c"POLY1305".as_ptr(), ptr::null()) };
            if mac.is_null() {
                return Err(ErrorStack::get());
            }
            // SAFETY: the algorithm is there; a context holds a reference to it, so ours is given back.
            let context = unsafe {
                let context = ffi::EVP_MAC_CTX_new(mac);
                ffi::EVP_MAC_free(mac);
                context
            };
            if context.is_null() {
                return Err(ErrorStack::get());
            }
            Ok(Self(context))
        }

        fn tag(&mut self, key: &[u8; 32], data: &[u8]) -> Result<[u8; TAG_LEN], ErrorStack> {
            let mut tag = [0; TAG_LEN];
            let mut length = 0;
            // SAFETY: the context is live, and each pointer goes with the length of what it points to.
            let done = unsafe {
                ffi::EVP_MAC_init(self.0, key.as_ptr(), key.len(), ptr::null()) == 1
                    && ffi::EVP_MAC_update(self.0, data.as_ptr(), data.len()) == 1
                    && ffi::EVP_MAC_final(self.0, tag.as_mut_ptr(), &mut length, tag.len()) == 1
            };
            if done && length == TAG_LEN {
                Ok(tag)
            } else {
                Err(ErrorStack::get())
            }
        }
    }

    impl Drop for Poly1305 {
        fn drop(&mut self) {
            // SAFETY: it was made by `EVP_MAC_CTX_new` and is used no more.
            unsafe { ffi::EVP_MAC_CTX_free(self.0) }
        }
    }

    /// The first half of the key is the payload's, the second one that of packet lengths.
    struct Keys {
        payload: Stream,
        length: RefCell<Stream>,
        poly1305: Poly1305,
    }

    impl Keys {
        fn new(key: &[u8; KEY_LEN]) -> Result<Self, ErrorStack> {
            let (payload, length) = key.split_at(KEY_LEN / 2);
            Ok(Self {
                payload: Stream::new(payload)?,
                length: RefCell::new(Stream::new(length)?),
                poly1305: Poly1305::new()?,
            })
        }

        fn tag(
            &mut self,
            sequence_number: u32,
            ciphertext: &[u8],
        ) -> Result<[u8; TAG_LEN], ErrorStack> {
            let mut key = [0; 32];
            self.payload.apply(sequence_number, 0, &mut key)?;
            self.poly1305.tag(&key, ciphertext)
        }
    }

    pub struct OpeningKey(Keys);

    impl OpeningKey {
        pub fn new(key: &[u8; KEY_LEN]) -> Self {
            #[allow(clippy::expect_used)] // fails without memory, or where OpenSSL was built without the cipher
            Self(Keys::new(key).expect("ChaCha20 of libcrypto"))
        }

        pub fn decrypt_packet_length(
            &self,
            sequence_number: u32,
            mut encrypted: [u8; PACKET_LENGTH_LEN],
        ) -> [u8; PACKET_LENGTH_LEN] {
            let mut stream = self.0.length.borrow_mut();
            match stream.apply(sequence_number, 0, &mut encrypted) {
                Ok(()) => encrypted,
                // A length that is refused.
                Err(_) => [0xff; PACKET_LENGTH_LEN],
            }
        }

        #[allow(clippy::indexing_slicing)] // a packet is never shorter than its length field
        pub fn open_in_place<'a>(
            &mut self,
            sequence_number: u32,
            packet: &'a mut [u8],
            tag: &[u8; TAG_LEN],
        ) -> Result<&'a [u8], ErrorStack> {
            let expected = self.0.tag(sequence_number, packet)?;
            if !memcmp::eq(&expected, tag) {
                return Err(ErrorStack::get());
            }
            let payload = &mut packet[PACKET_LENGTH_LEN..];
            self.0.payload.apply(sequence_number, 1, payload)?;
            Ok(payload)
        }
    }

    pub struct SealingKey(Keys);

    impl SealingKey {
        pub fn new(key: &[u8; KEY_LEN]) -> Self {
            #[allow(clippy::expect_used)] // as above
            Self(Keys::new(key).expect("ChaCha20 of libcrypto"))
        }

        pub fn seal_in_place(
            &mut self,
            sequence_number: u32,
            packet: &mut [u8],
            tag: &mut [u8; TAG_LEN],
        ) {
            #[allow(clippy::expect_used)] // fails without memory; nothing may be sent in the clear then
            self.seal(sequence_number, packet, tag)
                .expect("sealing a packet with libcrypto");
        }

        fn seal(
            &mut self,
            sequence_number: u32,
            packet: &mut [u8],
            tag: &mut [u8; TAG_LEN],
        ) -> Result<(), ErrorStack> {
            let (length, payload) = packet.split_at_mut(PACKET_LENGTH_LEN);
            let lengths = self.0.length.get_mut();
            lengths.apply(sequence_number, 0, length)?;
            self.0.payload.apply(sequence_number, 1, payload)?;
            *tag = self.0.tag(sequence_number, packet)?;
            Ok(())
        }
    }
}
