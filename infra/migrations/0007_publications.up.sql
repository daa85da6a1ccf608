-- How each agent version was published: the guard's report, the first step, who. Versions from before have neither.
ALTER TABLE agent_versions ADD COLUMN publication text;
ALTER TABLE agent_versions ADD COLUMN published_at timestamptz(3);
ALTER TABLE agent_versions ALTER COLUMN published_at SET DEFAULT now();
