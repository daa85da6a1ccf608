-- Executions that go turn by turn because their agent asks the world for something. A served one has its row in `executions`, too,
-- once it is done; a fork has none: it is nobody's answer.
CREATE TABLE long_executions (
  project          text COLLATE "C" NOT NULL,
  execution_id     text COLLATE "C" NOT NULL,
  task_type        text COLLATE "C" NOT NULL,
  task_id          text COLLATE "C" NOT NULL,
  ordinal          bigint NOT NULL,
  agent_version    text COLLATE "C" NOT NULL,
  -- Of which execution it is a fork, and from which turn on it may differ.
  parent           text COLLATE "C",
  from_turn        integer,
  -- Executions above it whose agents spawned the task of the next.
  depth            smallint NOT NULL DEFAULT 0,
  -- {"seed", "limits", "budget"} as JSON.
  config           text NOT NULL,
  state            text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'completed', 'failed')),
  turn             integer NOT NULL DEFAULT 0,
  fuel             bigint NOT NULL DEFAULT 0,
  -- Where it stands: the agent's state, and the rest as JSON.
  agent_state      bytea,
  suspension       text,
  -- Why it has to end, as {"code", "message"}, while it does not know yet.
  ending           text,
  record           text,
  record_hash      text COLLATE "C",
  started_at       timestamptz(3) NOT NULL DEFAULT now(),
  ended_at         timestamptz(3),
  PRIMARY KEY (project, execution_id)
);

CREATE INDEX long_executions_recent ON long_executions (project, started_at, execution_id);
CREATE INDEX long_executions_of_task ON long_executions (project, task_id);

-- Every effect on the world and every use of memory, once: what was asked for, what came of it, who answered, what it cost.
CREATE TABLE effects (
  project      text COLLATE "C" NOT NULL,
  execution_id text COLLATE "C" NOT NULL,
  turn         integer NOT NULL,
  index        integer NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  request_hash text COLLATE "C" NOT NULL,
  request      text NOT NULL,
  ok           boolean NOT NULL,
  -- Canonical JSON; a large one is an artifact.
  body         text,
  artifact     text,
  scores       double precision[] NOT NULL,
  answered_by  text NOT NULL,
  cost         double precision NOT NULL DEFAULT 0,
  tokens       bigint NOT NULL DEFAULT 0,
  performed_at timestamptz(3) NOT NULL DEFAULT now(),
  PRIMARY KEY (project, execution_id, turn, index),
  CHECK ((body IS NULL) <> (artifact IS NULL))
);

CREATE INDEX effects_by_request ON effects (project, execution_id, kind, request_hash, turn, index);

CREATE TABLE memory_blocks (
  project      text COLLATE "C" NOT NULL,
  execution_id text COLLATE "C" NOT NULL,
  sha256       text COLLATE "C" NOT NULL,
  bytes        bytea NOT NULL,
  PRIMARY KEY (project, execution_id, sha256)
);

CREATE TABLE approvals (
  project      text COLLATE "C" NOT NULL,
  approval_id  text COLLATE "C" NOT NULL,
  execution_id text COLLATE "C" NOT NULL,
  task_type    text COLLATE "C" NOT NULL,
  turn         integer NOT NULL,
  index        integer NOT NULL,
  question     text NOT NULL,
  -- JSON: the answers to choose from, where the agent names some.
  options      text,
  asked_at     timestamptz(3) NOT NULL DEFAULT now(),
  deadline     timestamptz(3),
  answer       text,
  answered_by  text,
  answered_at  timestamptz(3),
  PRIMARY KEY (project, approval_id)
);

CREATE INDEX approvals_open ON approvals (project, asked_at, approval_id) WHERE answered_at IS NULL;
