// Copyright: Watchbill contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// What opencode is doing, made of its own events. Pure: events and times go in, states come out.

import { resetOf } from "./provider_limits.mjs"

const EVIDENCE_LENGTH = 200
const ANSWER_LENGTH = 500
// opencode gives up after five retries. Where the provider did not say when it will serve again, the agent counts as
// limited for so long; then the next message finds out.
const REST_MILLISECONDS = 15 * 60_000
// opencode's own waiting before a retry: this, doubled each time, and at most a quarter more.
const BACKOFF_MILLISECONDS = 2000
const SLACK_MILLISECONDS = 1000
const TOO_MANY_REQUESTS = 429
// The message ids that this plugin gives end with the id of Watchbill's message.
const DELIVERED = /^msg_[0-9a-f]{12}([0-9A-HJKMNP-TV-Z]{26})$/

export const EVENTS = [
  "session.created",
  "session.updated",
  "session.status",
  "session.error",
  "message.updated",
  "message.part.updated",
  "permission.asked",
  "permission.replied",
  "question.asked",
  "question.replied",
  "question.rejected",
  "server.instance.disposed",
]

export class Situation {
  constructor() {
    // What is known of each session: its parent (it is a subagent's then) and what it cost.
    this.sessions = new Map()
    // The last message of the model in each session, and its text.
    this.answers = new Map()
    this.forget()
  }

  // Forget what was going on, but not what is stored.
  forget() {
    this.statuses = new Map()
    this.requests = new Map()
    this.trouble = null
    this.rest = null
  }

  // Take an event. Returns what it means beyond the state: `accepted` (id of a message of Watchbill that is now part of
  // a conversation), `began` and `ended` (session whose turn it is, or was; none of a subagent), `changed` (whether the
  // keeper should hear of it at once).
  see({ type, properties: said }, now) {
    switch (type) {
      case "session.created":
      case "session.updated":
        return { changed: this.know(said.info) }
      case "session.status":
        return this.status(said.sessionID, said.status, now)
      case "session.error":
        this.error(said.error, now)
        return {}
      case "message.updated":
        this.message(said.info)
        return {}
      case "message.part.updated":
        return this.part(said.part)
      case "permission.asked":
        return this.ask(said, "permission", permissionText(said))
      case "question.asked":
        return this.ask(said, "question", said.questions?.[0]?.question ?? "a question")
      case "permission.replied":
      case "question.replied":
      case "question.rejected":
        this.requests.delete(said.requestID)
        return { changed: true }
      case "server.instance.disposed":
        this.forget()
        return { changed: true }
      default:
        return {}
    }
  }

  // Take what is stored of a session; return whether its cost is new.
  know({ id, parentID, cost = 0 }) {
    const changed = (this.sessions.get(id)?.cost ?? 0) !== cost
    this.sessions.set(id, { parent: parentID ?? null, cost })
    return changed
  }

  // A prompt is part of a session. opencode says that it is busy with it only some time later.
  begin(session) {
    if (!this.statuses.has(session)) this.status(session, { type: "busy" })
  }

  ask(said, kind, text) {
    const { id, sessionID } = said
    this.requests.set(id, { id, kind, session: sessionID, text: short(text, EVIDENCE_LENGTH), said })
    return { changed: true }
  }

  status(session, status, now) {
    const before = this.statuses.get(session)
    if (status.type === "idle") {
      this.statuses.delete(session)
      for (const [id, request] of this.requests) if (request.session === session) this.requests.delete(id)
      if (!before) return {}
      return this.parent(session) ? { changed: true } : { changed: true, ended: session }
    }
    if (!before) this.trouble = this.rest = null
    this.statuses.set(session, status.type === "retry" ? { ...status, resetsAt: resetTime(status, now) } : status)
    return {
      changed: before?.type !== status.type || status.type === "retry",
      began: before || this.parent(session) ? undefined : session,
    }
  }

  error(error, now) {
    const said = error?.data?.message || error?.name || "unknown error"
    const code = error?.data?.statusCode
    this.trouble = short(`error: ${said}${code ? ` (${code})` : ""}`, EVIDENCE_LENGTH)
    if (code !== TOO_MANY_REQUESTS) return
    const seconds = resetOf(error.data.responseHeaders ?? {}, now / 1000)
    this.rest = { until: seconds ? 1000 * seconds : now + REST_MILLISECONDS, resetsAt: seconds && 1000 * seconds }
  }

  message({ id, sessionID, role }) {
    if (role === "assistant" && this.answers.get(sessionID)?.message !== id)
      this.answers.set(sessionID, { message: id, text: "" })
  }

  // A message is stored first, and its text after it: only then nothing of it can be lost.
  part({ type, text, synthetic, messageID, sessionID }) {
    if (type !== "text" || synthetic || !text) return {}
    const answer = this.answers.get(sessionID)
    if (answer?.message === messageID) answer.text = text
    const accepted = DELIVERED.exec(messageID)?.[1]
    return accepted ? { accepted } : {}
  }

  parent(session) {
    return this.sessions.get(session)?.parent ?? null
  }

  // The session in which a person started what a session, perhaps a subagent's, belongs to.
  root(session) {
    const seen = new Set()
    for (let at = session; ; at = this.parent(at)) {
      if (seen.has(at) || !this.parent(at)) return at
      seen.add(at)
    }
  }

  // What a conversation cost in US dollars, with its subagents.
  cost(conversation) {
    let total = 0
    for (const [session, { cost }] of this.sessions) if (this.root(session) === conversation) total += cost
    return total
  }

  answer(session) {
    return short(this.answers.get(session)?.text ?? "", ANSWER_LENGTH)
  }

  // The fields of a beat that say the state and why it is that; of a limit also when it ends, where the provider said
  // so, and whether opencode then goes on by itself.
  state(now) {
    const [request] = this.requests.values()
    if (request) return { state: "waiting-input", evidence: request.text }
    const statuses = [...this.statuses.values()]
    const retry = statuses.find((status) => status.type === "retry")
    if (retry) {
      const evidence = short(`retry ${retry.attempt}: ${retry.message}`, EVIDENCE_LENGTH)
      return { state: "limited", evidence, resets_at: retry.resetsAt, retries: true }
    }
    if (statuses.length) return { state: "working" }
    if (this.rest && now < this.rest.until)
      return { state: "limited", evidence: this.trouble, resets_at: this.rest.resetsAt, retries: false }
    return { state: "idle", evidence: this.trouble }
  }
}

// When a limit ends, where the provider said so. Otherwise `next` is only when opencode tries again.
function resetTime({ attempt, next }, now) {
  const own = BACKOFF_MILLISECONDS * 2 ** (attempt - 1)
  const wait = next - now
  return wait >= own - SLACK_MILLISECONDS && wait <= own * 1.25 + SLACK_MILLISECONDS ? null : next
}

function permissionText({ permission, patterns, metadata }) {
  if (permission === "bash") return `run: ${metadata?.command ?? patterns?.join("; ")}`
  return `${permission}: ${patterns?.join(", ") ?? ""}`
}

// A text on one line, without control characters, with at most so many characters.
export function short(text, length) {
  const line = String(text).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim()
  const characters = [...line.slice(0, 2 * length)]
  return characters.length <= length ? line : characters.slice(0, length - 1).join("") + "…"
}
