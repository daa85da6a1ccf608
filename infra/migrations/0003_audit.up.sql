-- An event enters with the transaction it records; a sealer chains it later. `xid` is what makes the order safe: a row
-- is sealed only when every transaction with a smaller xid is over, so nothing can appear before a sealed entry.

CREATE TABLE audit_events (
  project       text COLLATE "C" NOT NULL,
  xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
  entry         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  -- Given by a caller that may append the same event again.
  event_id      text COLLATE "C",
  type          text NOT NULL,
  actor         text NOT NULL,
  subject       text NOT NULL,
  details       text NOT NULL,
  at            timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  seq           bigint,
  previous_hash text,
  hash          text,
  PRIMARY KEY (project, xid, entry),
  UNIQUE (project, event_id),
  UNIQUE (project, seq)
);

CREATE INDEX audit_unsealed ON audit_events (project, xid, entry) WHERE seq IS NULL;

-- The head of each chain: without it, entries cut off at the end would not be missed.
CREATE TABLE audit_chains (
  project text COLLATE "C" PRIMARY KEY,
  seq     bigint NOT NULL,
  hash    text NOT NULL
);

CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' THEN
    RAISE EXCEPTION 'audit events are never deleted' USING ERRCODE = 'restrict_violation';
  END IF;
  IF OLD.seq IS NOT NULL
    OR (NEW.project, NEW.xid, NEW.entry, NEW.event_id, NEW.type, NEW.actor, NEW.subject, NEW.details, NEW.at)
      IS DISTINCT FROM
      (OLD.project, OLD.xid, OLD.entry, OLD.event_id, OLD.type, OLD.actor, OLD.subject, OLD.details, OLD.at)
  THEN
    RAISE EXCEPTION 'audit events are never changed' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_guard();
CREATE TRIGGER audit_guard_truncate BEFORE TRUNCATE ON audit_events EXECUTE FUNCTION audit_guard();
