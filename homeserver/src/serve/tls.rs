//! TLS for listeners: certificates from PEM files, read again on SIGHUP without dropping a connection.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::ServeError;

/// A listener's certificate and key.
pub(super) struct Certificate {
    certificate: PathBuf,
    private_key: PathBuf,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

/// The pair that new handshakes use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificate {
    /// Reads the pair. The files are named in errors, their content is not.
    pub(super) fn load(certificate: &Path, private_key: &Path) -> Result<Self, ServeError> {
        let pair = read(certificate, private_key)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let mut config =
            ServerConfig::builder().with_no_client_auth().with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            certificate: certificate.to_owned(),
            private_key: private_key.to_owned(),
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    fn reload(&self) -> Result<(), ServeError> {
        let pair = read(&self.certificate, &self.private_key)?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        Ok(())
    }
}

/// Reads every certificate again; one that cannot be read stays as it was.
pub(super) fn reload(certificates: &[Arc<Certificate>]) {
    for certificate in certificates {
        match certificate.reload() {
            Ok(()) => {
                tracing::info!(file = %certificate.certificate.display(), "certificate read again");
            }
            Err(error) => tracing::error!(%error, "the old certificate stays in use"),
        }
    }
}

fn read(certificate: &Path, private_key: &Path) -> Result<CertifiedKey, ServeError> {
    let failed = |file: &Path, problem: &dyn std::fmt::Display| ServeError::Certificate {
        file: file.to_owned(),
        problem: problem.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(certificate, &error))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"holds no certificate"));
    }
    let key =
        PrivateKeyDer::from_pem_file(private_key).map_err(|error| failed(private_key, &error))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(chain, key, &provider)
        .map_err(|error| failed(certificate, &error))?;
    Ok(pair)
}
