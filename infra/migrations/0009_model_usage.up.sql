-- What calls of models elsewhere used and cost: a line for each call that a provider has worked on.
CREATE TABLE model_usage (
  project           text COLLATE "C" NOT NULL,
  usage_id          text COLLATE "C" NOT NULL,
  at                timestamptz(3) NOT NULL DEFAULT now(),
  provider          text NOT NULL,
  model             text NOT NULL,
  task              text NOT NULL,
  -- Name of the API key.
  caller            text NOT NULL,
  prompt_tokens     bigint NOT NULL,
  completion_tokens bigint NOT NULL,
  cost              double precision NOT NULL,
  -- The provider did not say what was used: it is guessed from the texts.
  estimated         boolean NOT NULL,
  entry             bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (project, usage_id)
);

CREATE INDEX model_usage_order ON model_usage (project, entry);
