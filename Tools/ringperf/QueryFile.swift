import Glibc

import struct Corefile.RecordType

/// A name and a type to ask for.
struct QueryLine: Sendable {
  /// Wire form without the root's octet (RFC 1035 §3.1).
  let labels: [UInt8]
  let type: UInt16
  /// The name ended in a dot: no search path.
  let isAbsolute: Bool

  /// Dots within the name, as a resolver's `ndots` counts them (resolv.conf(5)).
  let dots: Int

  /// A name in presentation form (RFC 1035 §5.1: `\.` and `\DDD` escape). Throws what is wrong with it.
  init(name: String, type: UInt16) throws(LoadError) {
    var labels: [UInt8] = []
    var label: [UInt8] = []
    var dots = 0
    var octets = Array(name.utf8)[...]
    isAbsolute = octets.last == UInt8(ascii: ".") && octets.dropLast().last != UInt8(ascii: "\\")
    if isAbsolute { octets.removeLast() }
    while let octet = octets.popFirst() {
      if octet == UInt8(ascii: ".") {
        try Self.close(&label, into: &labels)
        dots += 1
      } else if octet == UInt8(ascii: "\\") {
        let code = octets.prefix(3).map { Int($0) - 0x30 }
        if code.count == 3, code.allSatisfy({ 0...9 ~= $0 }) {
          guard let value = UInt8(exactly: code[0] * 100 + code[1] * 10 + code[2]) else {
            throw LoadError("\\\(code[0])\(code[1])\(code[2]) is above 255")
          }
          label.append(value)
          octets = octets.dropFirst(3)
        } else if let next = octets.popFirst() {
          label.append(next)
        }
      } else {
        label.append(octet)
      }
    }
    if !name.utf8.elementsEqual([UInt8(ascii: ".")]) { try Self.close(&label, into: &labels) }
    guard labels.count < 255 else { throw LoadError("a name has at most 255 octets") }
    self.labels = labels
    self.type = type
    self.dots = dots
  }

  private static func close(_ label: inout [UInt8], into labels: inout [UInt8]) throws(LoadError) {
    guard 1...63 ~= label.count else { throw LoadError("a label has 1 to 63 octets, this one \(label.count)") }
    labels.append(UInt8(label.count))
    labels += label
    label = []
  }
}

/// A file of queries as dnsperf reads it: `name type` a line, whatever follows; empty lines and those that begin with `;`
/// are skipped.
enum QueryFile {
  /// The queries of the file at `path`, `-` for standard input. Throws the first bad line by its number.
  static func read(_ path: String) throws(LoadError) -> [QueryLine] {
    let name = path == "-" ? "standard input" : path
    guard let file = unsafe fopen(path == "-" ? "/dev/stdin" : path, "r") else {
      throw LoadError("-d \(path): \(reason(errno)); expected a file of lines 'NAME TYPE'")
    }
    defer { unsafe fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { unsafe free(line) }
    var queries: [QueryLine] = []
    var number = 0
    while true {
      let length = unsafe getline(&line, &capacity, file)
      guard length >= 0, let start = unsafe line else { break }
      number += 1
      // getline vouches for `length` bytes until its next call.
      let text = unsafe String(
        decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
      do {
        if let query = try parse(text) { queries.append(query) }
      } catch {
        throw LoadError("\(name), line \(number): \(error)")
      }
    }
    guard !queries.isEmpty else { throw LoadError("\(name): no queries; expected lines 'NAME TYPE'") }
    return queries
  }

  private static func parse(_ line: String) throws(LoadError) -> QueryLine? {
    let fields = line.split(whereSeparator: \.isWhitespace)
    guard let name = fields.first, name.first != ";" else { return nil }
    guard fields.count >= 2 else { throw LoadError("expected 'NAME TYPE', found '\(name)' alone") }
    guard let type = recordType(String(fields[1])) else {
      throw LoadError("unknown type '\(fields[1])'; expected one such as A, AAAA, SRV or TYPE65")
    }
    return try QueryLine(name: String(name), type: type)
  }

  /// The code of a type by its name or as TYPEn (RFC 3597 §5).
  private static func recordType(_ name: String) -> UInt16? {
    if let type = RecordType(name: name) { return type.value }
    return name.uppercased().hasPrefix("TYPE") ? UInt16(name.dropFirst(4)) : nil
  }
}

/// `AAAA`, or `TYPE65280` for a type without a name.
func typeName(_ code: UInt16) -> String { RecordType(value: code).name }
