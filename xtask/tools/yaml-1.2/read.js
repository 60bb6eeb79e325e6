// A YAML 1.2 reader's reading of streams as JSON, in the protocol of yaml-oracle: a line with a number of bytes, then the
// bytes; for each stream a line with an array of documents, or with an error.
const path = require('path')
const { parseAllDocuments } = require(path.join(process.argv[2], 'node_modules', 'yaml'))

// JSON.stringify knows no big integers and no negative zero.
const text = value => {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return JSON.stringify({ 'not-finite': String(value) })
    return Object.is(value, -0) ? '-0.0' : JSON.stringify(value)
  }
  if (Array.isArray(value)) return '[' + value.map(text).join(',') + ']'
  if (value !== null && typeof value === 'object') {
    return '{' + Object.entries(value).map(([key, item]) => JSON.stringify(key) + ':' + text(item)).join(',') + '}'
  }
  return JSON.stringify(value)
}

const read = stream => {
  const documents = parseAllDocuments(stream, { version: '1.2', schema: 'core', intAsBigInt: true, logLevel: 'silent' })
  for (const document of documents) {
    if (document.errors.length > 0) throw document.errors[0]
  }
  return '[' + documents.map(document => text(document.toJS({ maxAliasCount: 0 }))).join(',') + ']'
}

const input = require('fs').readFileSync(0)
const answers = []
for (let at = 0; at < input.length;) {
  const end = input.indexOf(10, at)
  const length = Number(input.toString('utf8', at, end))
  const stream = input.toString('utf8', end + 1, end + 1 + length)
  at = end + 1 + length
  try {
    answers.push(read(stream))
  } catch (error) {
    answers.push(JSON.stringify({ error: String(error.message) }))
  }
}
process.stdout.write(answers.join('\n') + '\n')
