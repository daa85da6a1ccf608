import type { Database } from './database.ts';
import type { ModelUsageEntry, UsageRepository } from './registry-types.ts';

export function createUsage(db: Database): UsageRepository {
  return {
    async put(project, entry) {
      const { usageId, provider, model, task, caller, promptTokens, completionTokens, cost, estimated } = entry;
      await db.execute(
        `INSERT INTO model_usage
           (project, usage_id, provider, model, task, caller, prompt_tokens, completion_tokens, cost, estimated)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
        [project, usageId, provider, model, task, caller, promptTokens, completionTokens, cost, estimated],
      );
    },
    async list(project, limit = 1000) {
      const newest = await db.query<ModelUsageEntry & { at: string }>(
        `SELECT usage_id AS "usageId", at, provider, model, task, caller, prompt_tokens AS "promptTokens",
           completion_tokens AS "completionTokens", cost, estimated
         FROM model_usage WHERE project = $1 ORDER BY entry DESC LIMIT $2`,
        [project, limit],
      );
      return newest.reverse();
    },
    sum: (project) =>
      // Sums of counts would be decimal numbers, which arrive as texts.
      db.query(
        `SELECT provider, model, count(*) AS calls, sum(prompt_tokens)::float8 AS "promptTokens",
           sum(completion_tokens)::float8 AS "completionTokens", sum(cost) AS cost,
           count(*) FILTER (WHERE estimated) AS estimated
         FROM model_usage WHERE project = $1 GROUP BY provider, model ORDER BY provider, model`,
        [project],
      ),
  };
}
