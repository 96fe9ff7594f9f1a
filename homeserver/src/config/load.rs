//! Reading a config file, and saying what is wrong with it: the file, the line, the key. Never a value that is a secret.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    Config, Problem,
    text::{key_at, line_of},
};

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the config {}: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    /// Not TOML, an unknown or missing key, a wrong type.
    #[error("{}:{line}: {}{problem}", file.display(), KeyPrefix(key))]
    Invalid { file: PathBuf, line: usize, key: String, problem: String },
    /// Well formed, but a value cannot be meant; all of them at once.
    #[error("{}", problems.join("\n"))]
    Unusable { problems: Vec<String> },
}

struct KeyPrefix<'a>(&'a str);

impl fmt::Display for KeyPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

impl Config {
    /// Reads and checks a config file. Relative paths in it are relative to the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`], whose text names the file, the line and the key.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        let mut config = Self::parse(&text, file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.data_dir = folder.join(&config.data_dir);
        for path in config
            .listen
            .tls
            .iter_mut()
            .flat_map(|tls| [&mut tls.certificate, &mut tls.private_key])
        {
            *path = folder.join(&*path);
        }
        for path in config.federation.extra_ca.iter_mut().chain(&mut config.mail.smtp_ca) {
            *path = folder.join(&*path);
        }
        let problems = config.missing_files();
        if problems.is_empty() { Ok(config) } else { Err(unusable(&text, file, problems)) }
    }

    /// Reads and checks the text of a config; `file` is for the errors.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            let problem = error.message().lines().collect::<Vec<_>>().join(", ");
            ConfigError::Invalid { file: file.to_owned(), line, key: key_at(text, line), problem }
        })?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(unusable(text, file, problems)) }
    }

    /// The files that the config names and that cannot be read.
    fn missing_files(&self) -> Vec<Problem> {
        let tls = self.listen.tls.iter().enumerate().flat_map(|(nth, tls)| {
            [
                ("listen.tls.certificate", nth, &tls.certificate),
                ("listen.tls.private_key", nth, &tls.private_key),
            ]
        });
        let authorities = [
            ("federation.extra_ca", &self.federation.extra_ca),
            ("mail.smtp_ca", &self.mail.smtp_ca),
        ];
        let authorities = authorities
            .into_iter()
            .flat_map(|(key, files)| files.iter().map(move |file| (key, 0, file)));
        tls.chain(authorities)
            .filter_map(|(key, nth, file)| {
                let error = File::open(file).and_then(|mut file| file.read(&mut [0])).err()?;
                let problem = format!("cannot read {}: {error}", file.display());
                Some(Problem { key, nth, problem })
            })
            .collect()
    }
}

/// Says of each problem where in the text it is.
fn unusable(text: &str, file: &Path, problems: Vec<Problem>) -> ConfigError {
    let name = |Problem { key, nth, problem }| {
        let line = line_of(text, key, nth).unwrap_or(1);
        format!("{}:{line}: {key}: {problem}", file.display())
    };
    ConfigError::Unusable { problems: problems.into_iter().map(name).collect() }
}
