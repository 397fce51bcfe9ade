-- A node's side: what its container runtime runs, and what there is to tell of it. Times are
-- microseconds since 1970 UTC, by the node's clock.

-- finished_at and what follows: written once for each start.
CREATE TABLE container (
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  isolation TEXT NOT NULL,
  pod_namespace TEXT,
  pod_name TEXT,
  pod_uid TEXT,
  name TEXT,
  image TEXT,
  manifest_digest TEXT,
  config_digest TEXT,
  pid INTEGER NOT NULL,
  created_at INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  exit_code INTEGER,
  reason TEXT,
  oom_count INTEGER NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX container_deleted ON container (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a name means now. digest: none when it is no SHA-256.
CREATE TABLE node_image (
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  digest TEXT,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

-- The outbox of the node. Its numbers are given by the counter of this name, so that none comes
-- again after the newest rows have gone.
INSERT INTO counter (name, value) VALUES ('notice', 0);
CREATE TABLE notice (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  name TEXT,
  digest TEXT,
  platform TEXT,
  pod_namespace TEXT,
  pod_name TEXT,
  pod_uid TEXT,
  container TEXT,
  isolation TEXT,
  pid INTEGER,
  exit_code INTEGER,
  reason TEXT,
  oom_count INTEGER,
  is_amended INTEGER NOT NULL
) STRICT;
