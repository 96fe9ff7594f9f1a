//! A certificate authority for one test, and server certificates from it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// A throwaway certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    file: PathBuf,
}

/// A server's certificate and key, as PEM files.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM (PKCS#8).
    pub private_key: PathBuf,
}

impl Authority {
    /// Makes one and writes its certificate to `folder/ca.pem`.
    ///
    /// # Errors
    /// When a key cannot be made or the file not be written.
    pub fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::default())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Tern test authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let file = folder.join("ca.pem");
        fs::write(&file, certificate.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), certificate: certificate.der().clone(), file })
    }

    /// The PEM file others trust it by.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Issues a certificate for `host`, `localhost` and `127.0.0.1`, as files in `folder`.
    ///
    /// # Errors
    /// When `host` is no name, or a file cannot be written.
    pub fn issue(&self, host: &str, folder: &Path) -> Result<ServerCertificate> {
        let (certificate, key) = self.sign(host)?;
        let files = ServerCertificate {
            certificate: folder.join("certificate.pem"),
            private_key: folder.join("private_key.pem"),
        };
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.private_key, key.serialize_pem())?;
        Ok(files)
    }

    /// The same for a TLS server in this process.
    ///
    /// # Errors
    /// When `host` is no name.
    pub fn server_config(&self, host: &str) -> Result<Arc<ServerConfig>> {
        let (certificate, key) = self.sign(host)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Arc::new(config))
    }

    /// A TLS client that trusts this authority and no other.
    ///
    /// # Errors
    /// When rustls refuses the authority's certificate.
    pub fn client_config(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        Ok(ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    fn sign(&self, host: &str) -> Result<(rcgen::Certificate, KeyPair)> {
        let mut names = vec![host.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
        names.dedup();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, host);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate, key))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
