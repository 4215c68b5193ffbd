// Copyright: Watchbill contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// The way from a program inside a runtime to the agent's keeper (docs/architecture.md, "FIFO lines"). It never waits.

import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from "node:fs"

const LINE_BYTES = 4096
const ANSWER_LENGTHS = [500, 200, 0]
const MESSAGE_ID = /watchbill:([0-9A-HJKMNP-TV-Z]{26})/g
const PREAMBLE_LENGTH = 1000
// Nobody reads, there is nothing to read from, or the reader is slow.
const LOST = ["ENXIO", "ENOENT", "EAGAIN", "EPIPE"]

// Seconds since boot, suspension included; to hundredths, rounded up: never before what came first.
// In a container /proc/uptime may be behind the clock of the keeper, as its launcher found.
export function bootTime() {
  const behind = Number(process.env.WATCHBILL_UPTIME_BEHIND || 0)
  return Number((Number(readFileSync("/proc/uptime", "latin1").split(" ", 1)[0]) + behind + 0.01).toFixed(2))
}

// Ids of the messages that a prompt carries in its first lines.
export function messagesIn(prompt) {
  return [...prompt.slice(0, PREAMBLE_LENGTH).matchAll(MESSAGE_ID)].map((match) => match[1])
}

// One line with these fields, with as much of the answer as fits. Without a reader it is lost, which is what it is
// worth then.
export function tell(fifo, fields) {
  let handle
  try {
    handle = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    writeSync(handle, encode(fields))
  } catch (error) {
    if (!LOST.includes(error.code)) throw error
  } finally {
    if (handle !== undefined) closeSync(handle)
  }
}

// Keep for good that a conversation took these messages, whether a keeper runs or not.
export function keepAccepted(spool, ids, conversation) {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  const handle = openSync(spool, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    writeSync(handle, ids.map((id) => `${id} ${bootTime()} ${conversation}\n`).join(""))
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function encode(fields) {
  for (const length of ANSWER_LENGTHS) {
    const line = Buffer.from(`beat ${JSON.stringify({ ...fields, answer: beginning(fields.answer, length) })}\n`)
    if (line.length <= LINE_BYTES) return line
  }
  const { state, source, session_id, sequence, boottime } = fields
  return Buffer.from(`beat ${JSON.stringify({ state, source, session_id, sequence, boottime })}\n`)
}

// The first characters of a text. A character beyond the first 65,536 is two in JavaScript, which must not be parted.
function beginning(text, length) {
  return text && Array.from(text.slice(0, 2 * length)).slice(0, length).join("")
}
