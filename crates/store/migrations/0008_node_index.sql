-- Which of the node's images were indexed on the node, by what their names point to. image_digest:
-- the image it became. retry_at: when to try once more; none for what is done or quarantined.
CREATE TABLE node_index (
  digest TEXT PRIMARY KEY,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  program TEXT NOT NULL,
  state TEXT NOT NULL,
  image_digest TEXT,
  error TEXT,
  attempt_count INTEGER NOT NULL,
  attempted_at INTEGER NOT NULL,
  retry_at INTEGER
) STRICT, WITHOUT ROWID;
