//! Reading a config file, and saying what is wrong with it: the file, the line, the key. Never a value that is a secret.

use std::{
    fmt,
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
        for path in &mut config.federation.extra_ca {
            *path = folder.join(&*path);
        }
        Ok(config)
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
        if problems.is_empty() {
            return Ok(config);
        }
        let name = |Problem { key, problem }| {
            let line = line_of(text, key).unwrap_or(1);
            format!("{}:{line}: {key}: {problem}", file.display())
        };
        Err(ConfigError::Unusable { problems: problems.into_iter().map(name).collect() })
    }
}
