/**
 * Lathe plugins that change plain values.
 *
 * A transform mutates the objects it is handed; what differs afterwards becomes the edits. Maps have no prototype, so
 * any name is just a key. Numbers keep their digits: what a double holds is a `number`, a larger integer a `bigint`,
 * any other number a {@link Decimal}.
 */

// Lets maps written as `{}` hold the key `__proto__`, too.
delete Object.prototype.__proto__;

/** A number that a double would not print as it was written, such as `1.0` or `1e400`. */
export class Decimal {
  /** @param {string} text a JSON number */
  constructor(text) {
    this.text = text;
    Object.freeze(this);
  }

  valueOf() {
    return Number(this.text);
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return JSON.rawJSON(this.text);
  }
}

/** Tells whether a value is a JSON object. */
export function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Decimal);
}

/** Orders strings by their UTF-8 bytes, where `<` goes by UTF-16 units. */
export function compareUtf8(a, b) {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return isSurrogate(x) - isSurrogate(y) || x - y;
  }
  return a.length - b.length;
}

function isSurrogate(unit) {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** Reads JSON text without losing digits or keys. */
export function parse(text) {
  return JSON.parse(text, (_, value, { source }) => {
    if (typeof value === "number") return exact(value, source);
    return isMap(value) ? Object.setPrototypeOf(value, null) : value;
  });
}

function exact(number, source) {
  if (String(number) === source && (Number.isSafeInteger(number) || !Number.isInteger(number))) return number;
  return /^-?[1-9]\d*$/.test(source) ? BigInt(source) : new Decimal(source);
}

/** Writes JSON text. Members that are `undefined` are left out; anything else that JSON cannot hold is a `TypeError`. */
export function stringify(value) {
  if (typeof value === "string") return JSON.stringify(value);
  const text = JSON.stringify(value, function (key, item) {
    if (typeof item === "bigint") return JSON.rawJSON(String(item));
    const lost = item === undefined ? Array.isArray(this) : typeof item === "number" && !Number.isFinite(item);
    if (lost || typeof item === "function" || typeof item === "symbol") {
      throw new TypeError(`${String(item)} at "${key}" is not JSON`);
    }
    return item;
  });
  if (text === undefined) throw new TypeError("undefined is not JSON");
  return text;
}

/**
 * Appends the edits that turn one value into another, leaf by leaf. Keeps its own stack: the engine's is too small for
 * values that nest a thousand levels deep.
 */
function addEdits(edits, object, before, after) {
  const pairs = [];
  const compare = (was, is, pointer) => {
    if (Array.isArray(was) ? Array.isArray(is) : isMap(was) && isMap(is)) pairs.push({ was, is, pointer });
    else if (!same(was, is)) edits.push({ tag: "set", val: { at: { object, pointer }, value: stringify(is) } });
  };

  compare(before, after, "");
  while (pairs.length > 0) {
    const { was, is, pointer } = pairs.pop();
    if (Array.isArray(was)) {
      const common = Math.min(was.length, is.length);
      for (let i = 0; i < common; i++) {
        if (was[i] !== is[i]) compare(was[i], is[i], `${pointer}/${i}`);
      }
      for (let i = common; i < is.length; i++) {
        edits.push({ tag: "insert", val: { at: { object, pointer: `${pointer}/-` }, value: stringify(is[i]) } });
      }
      for (let i = was.length - 1; i >= common; i--) {
        edits.push({ tag: "remove", val: { object, pointer: `${pointer}/${i}` } });
      }
    } else {
      const keys = Object.keys(is);
      let added = keys.length;
      for (const key of Object.keys(was)) {
        if (!has(is, key)) edits.push({ tag: "remove", val: { object, pointer: below(pointer, key) } });
        else {
          added--;
          if (was[key] !== is[key]) compare(was[key], is[key], below(pointer, key));
        }
      }
      if (added === 0) continue;
      for (const key of keys) {
        if (has(is, key) && !has(was, key)) compare(undefined, is[key], below(pointer, key));
      }
    }
  }
}

/** Whether two values, not both maps and not both lists, are the same JSON. */
function same(was, is) {
  if (was === undefined || typeof was === "string" || typeof is === "string") return was === is;
  return stringify(was) === stringify(is);
}

function has(map, key) {
  return map[key] !== undefined && Object.hasOwn(map, key);
}

function below(pointer, key) {
  return `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** One Kubernetes object of a request. `apiVersion`, `kind`, `namespace` and `name` are as the host sent them. */
class KubeObject {
  #json;
  #key;
  #read = false;
  #value;
  #dropped = false;

  constructor({ apiVersion, kind, namespace, name, json }, key) {
    Object.assign(this, { apiVersion, kind, namespace, name });
    this.#json = json;
    this.#key = key;
  }

  /** How edits and findings name the object, wherever the author moves it. */
  get key() {
    return this.#key;
  }

  /** The object itself, to be changed in place or replaced. Parsed when first read. */
  get value() {
    if (!this.#read) this.value = parse(this.#json);
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    this.#read = true;
  }

  /** Takes the object out of the set. */
  drop() {
    this.#dropped = true;
  }

  /** Appends the edits for what was done to this object. */
  addEdits(edits) {
    if (this.#dropped) edits.push({ tag: "drop-object", val: this.#key });
    else if (this.#read) addEdits(edits, this.#key, parse(this.#json), this.#value);
  }
}

/** What a transform works on. */
class Request {
  #all;
  #added = [];
  #findings = [];

  constructor({ config, environment, objects }) {
    /** The pipeline entry's `config`. */
    this.config = parse(config);
    /** `{name, project, namespace, review, hosts}` */
    this.environment = parse(environment);
    this.#all = objects.map((object, key) => new KubeObject(object, key));
    /** The author's own list, to sort or filter: it takes no object out of the set. @type {KubeObject[]} */
    this.objects = [...this.#all];
  }

  /** Adds a new object to the set. */
  add(value) {
    this.#added.push(value);
  }

  /**
   * Tells the user something.
   * @param {"error" | "warning" | "info"} severity an `error` refuses the run
   * @param {string} code stable and kebab-case, such as `unmapped-host`
   * @param {string} message one sentence
   * @param {KubeObject} [object] what it is about
   * @param {string} [pointer] RFC 6901 pointer into the object
   */
  report(severity, code, message, object, pointer = "") {
    this.#findings.push({ severity, code, message, object, pointer });
  }

  /** The outcome, once the transform is done. */
  outcome() {
    const edits = [];
    for (const object of this.#all) object.addEdits(edits);
    for (const value of this.#added) edits.push({ tag: "add-object", val: stringify(value) });
    const findings = this.#findings.map(({ object, pointer, ...finding }) => ({
      ...finding,
      at: object ? { object: object.key, pointer } : null,
    }));
    return { edits, findings };
  }
}

/**
 * Makes a plugin's two exports. An exception in `transform` refuses the run with its message.
 *
 *     export const { descriptor, transformer } = plugin({ name: "noop", … }, (request) => {});
 *
 * @param {{name: string, version: string, summary: string, configSchema: object, scope: "object" | "set"}} description
 * @param {(request: Request) => void} transform
 */
export function plugin(description, transform) {
  return {
    descriptor: { describe: () => JSON.stringify(description) },
    transformer: {
      transform(input) {
        const request = new Request(input);
        transform(request);
        return request.outcome();
      },
    },
  };
}
