-- owner: media. kept: local files until an administrator deletes them, reserved ids without content until expires_at_ms,
-- other servers' files until the cache's budget needs their room. `server`: interned; `hash`: SHA-256 of the content,
-- NULL until it is uploaded; the bytes are in data_dir/media under it.
CREATE TABLE media (
    server {int} NOT NULL,
    media_id TEXT NOT NULL,
    uploader {int},
    hash {bytes},
    size {int} NOT NULL DEFAULT 0,
    content_type TEXT,
    filename TEXT,
    created_ms {int} NOT NULL,
    expires_ms {int},
    used_ms {int} NOT NULL,
    PRIMARY KEY (server, media_id)
) {strict};
CREATE INDEX media_hash ON media (hash) WHERE hash IS NOT NULL;
CREATE INDEX media_used ON media (used_ms);
CREATE INDEX media_pending ON media (uploader) WHERE hash IS NULL;

-- owner: media. kept: with a file of that hash. `source`: SHA-256 of the file; `hash`: of its thumbnail.
CREATE TABLE thumbnails (
    source {bytes} NOT NULL,
    width {int} NOT NULL,
    height {int} NOT NULL,
    method TEXT NOT NULL,
    hash {bytes} NOT NULL,
    size {int} NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (source, width, height, method)
) {strict};
CREATE INDEX thumbnails_hash ON thumbnails (hash);
