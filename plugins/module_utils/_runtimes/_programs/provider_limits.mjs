// Copyright: Watchbill contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// What the headers of a model provider's response tell about its limits.

const ANTHROPIC = "anthropic-ratelimit-unified"
const ANTHROPIC_WINDOWS = { five_hour: "5h", seven_day: "7d" }
const CHATGPT = "x-codex"
const CHATGPT_WINDOWS = ["primary", "secondary"]
const SECONDS = /^\d+(\.\d+)?$/

// How much of a subscription is used, as Anthropic and ChatGPT say it beside every answer; none for other providers.
export function limitsOf(headers) {
  const anthropic = Object.entries(ANTHROPIC_WINDOWS).map(([name, window]) => ({
    name,
    used_percent: 100 * Number(headers[`${ANTHROPIC}-${window}-utilization`]),
    resets_at: instant(headers[`${ANTHROPIC}-${window}-reset`]),
  }))
  const chatgpt = CHATGPT_WINDOWS.map((name) => ({
    name,
    used_percent: Number(headers[`${CHATGPT}-${name}-used-percent`]),
    resets_at: instant(headers[`${CHATGPT}-${name}-reset-at`]),
  }))
  return [...anthropic, ...chatgpt].filter((limit) => Number.isFinite(limit.used_percent))
}

// When a refusal is over, in seconds since 1970; null where the headers do not tell. A subscription's own limit comes
// first: `retry-after` may be shorter than that.
export function resetOf(headers, now) {
  const after = headers["retry-after"]
  return (
    instant(headers[`${ANTHROPIC}-reset`]) ??
    instant(headers[`${CHATGPT}-primary-reset-at`]) ??
    (SECONDS.test(after) ? now + Number(after) : instant(after))
  )
}

// Seconds since 1970 of what a header says: such, or a date.
function instant(value) {
  const at = SECONDS.test(value) ? Number(value) : Date.parse(value) / 1000
  return Number.isFinite(at) ? at : null
}
