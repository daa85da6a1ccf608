import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const html = readFileSync(new URL('./approvals-page.html', import.meta.url), 'utf8');

/** What `<style>` or `<script>` holds, as a Content-Security-Policy names it. */
function hashOf(element: 'style' | 'script'): string {
  const [, content = ''] = html.split(new RegExp(`</?${element}>`));
  return `'sha256-${createHash('sha256').update(content, 'utf8').digest('base64')}'`;
}

/**
 * The page on which people answer questions of agents. It runs its own script and no other, talks to this API alone, and turns no
 * text into markup: the questions are of agents that nobody trusts.
 */
export const APPROVALS_PAGE = {
  body: html,
  type: 'text/html; charset=utf-8',
  headers: {
    'content-security-policy': [
      "default-src 'none'",
      `style-src ${hashOf('style')}`,
      `script-src ${hashOf('script')}`,
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; '),
  },
} as const;
