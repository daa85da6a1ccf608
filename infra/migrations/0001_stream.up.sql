-- The stream of tasks and what is known of each. JSON that is hashed anywhere is text: jsonb would re-encode it.
-- Every key begins with the project; text is compared by bytes, on any server's locale.

CREATE TABLE projects (
  project    text COLLATE "C" PRIMARY KEY,
  created_at timestamptz(3) NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  project    text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  key_hash   text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  revoked_at timestamptz(3),
  PRIMARY KEY (project, name),
  UNIQUE (project, key_hash)
);

CREATE TABLE task_types (
  project    text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  version    integer NOT NULL,
  document   text NOT NULL,
  created_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, name, version)
);

-- One row for a (project, task type): its lock orders admissions and deployment changes.
CREATE TABLE streams (
  project      text COLLATE "C" NOT NULL,
  task_type    text COLLATE "C" NOT NULL,
  next_ordinal bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (project, task_type)
);

CREATE TABLE tasks (
  project             text COLLATE "C" NOT NULL,
  task_type           text COLLATE "C" NOT NULL,
  ordinal             bigint NOT NULL,
  task_id             text COLLATE "C" NOT NULL,
  task_type_version   integer NOT NULL,
  key                 text COLLATE "C" NOT NULL,
  body_hash           text COLLATE "C" NOT NULL,
  payload             text NOT NULL,
  priority            smallint NOT NULL,
  state               text NOT NULL DEFAULT 'accepted'
                      CHECK (state IN ('accepted', 'running', 'completed', 'failed', 'dead')),
  epoch               integer NOT NULL,
  served              text COLLATE "C" NOT NULL,
  shadow              text COLLATE "C",
  batch_id            text COLLATE "C",
  accepted_at         timestamptz(3) NOT NULL DEFAULT now(),
  dispatched_at       timestamptz(3),
  feedback_deadline   timestamptz(3) NOT NULL,
  -- Every role of the routing has its execution.
  executed            boolean NOT NULL DEFAULT false,
  has_feedback        boolean NOT NULL DEFAULT false,
  -- The event "no feedback in time": from here on decisions are made without it.
  feedback_expired_at timestamptz(3),
  -- It was a dead letter once. It stays resolved when it is driven again, so that the watermark never falls.
  died                boolean NOT NULL DEFAULT false,
  resolved            boolean NOT NULL GENERATED ALWAYS AS
                      (died OR (executed AND (has_feedback OR feedback_expired_at IS NOT NULL))) STORED,
  PRIMARY KEY (project, task_type, ordinal),
  UNIQUE (project, task_id),
  UNIQUE (project, key)
);

CREATE INDEX tasks_unresolved ON tasks (project, task_type, ordinal) WHERE NOT resolved;
CREATE INDEX tasks_undispatched ON tasks (accepted_at, project, task_type, ordinal)
  WHERE dispatched_at IS NULL AND batch_id IS NULL;
CREATE INDEX tasks_of_batch ON tasks (project, batch_id, ordinal) WHERE batch_id IS NOT NULL;
CREATE INDEX tasks_awaiting_feedback ON tasks (feedback_deadline)
  WHERE NOT has_feedback AND feedback_expired_at IS NULL AND NOT died;
CREATE INDEX tasks_recent ON tasks (project, accepted_at, ordinal);

CREATE TABLE batches (
  project       text COLLATE "C" NOT NULL,
  batch_id      text COLLATE "C" NOT NULL,
  task_type     text COLLATE "C" NOT NULL,
  key           text COLLATE "C" NOT NULL,
  state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'completed')),
  count         bigint NOT NULL DEFAULT 0,
  first         bigint,
  last          bigint,
  created_at    timestamptz(3) NOT NULL DEFAULT now(),
  dispatched_at timestamptz(3),
  PRIMARY KEY (project, batch_id),
  UNIQUE (project, key)
);

CREATE INDEX batches_undispatched ON batches (created_at, project, batch_id)
  WHERE state = 'closed' AND dispatched_at IS NULL;

-- Keyed by ordinal, which grows with time, so that the table can be partitioned by ranges of it.
CREATE TABLE executions (
  project       text COLLATE "C" NOT NULL,
  task_type     text COLLATE "C" NOT NULL,
  ordinal       bigint NOT NULL,
  role          text COLLATE "C" NOT NULL CHECK (role IN ('served', 'shadow')),
  task_id       text COLLATE "C" NOT NULL,
  agent_version text COLLATE "C" NOT NULL,
  status        text NOT NULL CHECK (status IN ('completed', 'failed')),
  output        text,
  reason        text,
  fuel          bigint NOT NULL,
  model_calls   bigint NOT NULL,
  memory_bytes  bigint NOT NULL,
  turns         integer NOT NULL,
  record_hash   text COLLATE "C" NOT NULL,
  features      double precision[] NOT NULL,
  stored_at     timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, task_type, ordinal, role)
);

CREATE TABLE feedback (
  project     text COLLATE "C" NOT NULL,
  task_type   text COLLATE "C" NOT NULL,
  ordinal     bigint NOT NULL,
  feedback_id text COLLATE "C" NOT NULL,
  task_id     text COLLATE "C" NOT NULL,
  arrival     bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  kind        text NOT NULL CHECK (kind IN ('boolean', 'number', 'demonstration', 'comment')),
  value       text NOT NULL,
  late        boolean NOT NULL,
  received_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, task_type, ordinal, feedback_id)
);

CREATE TABLE scores (
  project       text COLLATE "C" NOT NULL,
  task_type     text COLLATE "C" NOT NULL,
  ordinal       bigint NOT NULL,
  agent_version text COLLATE "C" NOT NULL,
  task_id       text COLLATE "C" NOT NULL,
  role          text NOT NULL CHECK (role IN ('served', 'shadow')),
  score         double precision NOT NULL,
  correct       boolean NOT NULL,
  predicted     text,
  expected      text,
  PRIMARY KEY (project, task_type, ordinal, agent_version)
);

CREATE TABLE dead_letters (
  project     text COLLATE "C" NOT NULL,
  task_id     text COLLATE "C" NOT NULL,
  task_type   text COLLATE "C" NOT NULL,
  ordinal     bigint NOT NULL,
  code        text NOT NULL,
  reason      text NOT NULL,
  at          timestamptz(3) NOT NULL DEFAULT now(),
  redriven_at timestamptz(3),
  PRIMARY KEY (project, task_id)
);

CREATE TABLE deployments (
  project      text COLLATE "C" NOT NULL,
  task_type    text COLLATE "C" NOT NULL,
  epoch        integer NOT NULL,
  from_ordinal bigint NOT NULL,
  champion     text COLLATE "C" NOT NULL,
  challenger   text COLLATE "C",
  stage        text NOT NULL CHECK (stage IN ('full', 'shadow', 'canary')),
  share        double precision NOT NULL CHECK (share >= 0 AND share <= 1),
  reason       text NOT NULL,
  decision_id  text COLLATE "C" NOT NULL,
  decided_at   timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, task_type, epoch),
  UNIQUE (project, task_type, decision_id)
);

CREATE TABLE kpi_windows (
  project       text COLLATE "C" NOT NULL,
  task_type     text COLLATE "C" NOT NULL,
  agent_version text COLLATE "C" NOT NULL,
  from_ordinal  bigint NOT NULL,
  to_ordinal    bigint NOT NULL,
  document      text NOT NULL,
  PRIMARY KEY (project, task_type, agent_version, from_ordinal)
);

CREATE TABLE monitors (
  project     text COLLATE "C" NOT NULL,
  task_type   text COLLATE "C" NOT NULL,
  consumed_to bigint NOT NULL,
  state       text NOT NULL,
  PRIMARY KEY (project, task_type)
);

CREATE TABLE drift_events (
  project   text COLLATE "C" NOT NULL,
  task_type text COLLATE "C" NOT NULL,
  ordinal   bigint NOT NULL,
  detector  text COLLATE "C" NOT NULL,
  details   text NOT NULL,
  at        timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, task_type, ordinal, detector)
);
