import Memory
import Testing
import Wire

/// Folding, hashing and spelling by words must equal what one octet at a time gives, for every length and value.
@Suite struct FoldTests {
  let arena = Arena()
  let out = Arena()
  let secret = HashSecret(0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3211, 0x0F1E_2D3C_4B5A_6978)

  /// `name` folded as the key's is, at the very end of readable memory behind a header, and its hash.
  func fold(_ name: [UInt8], salt: UInt64 = 0, secret: HashSecret? = nil) -> (name: [UInt8], hash: UInt64) {
    let message = arena.put([UInt8](repeating: 0xAA, count: 12) + name)
    let room = out.room((name.count + 7) & ~7)
    let hash = Name.fold(
      message, at: 12, length: name.count, into: room, salt: salt, secret: secret ?? self.secret)
    return (room.octets, hash)
  }

  func lower(_ octet: UInt8) -> UInt8 { octet >= 0x41 && octet <= 0x5A ? octet + 32 : octet }
  func padded(_ name: [UInt8]) -> [UInt8] { name + [UInt8](repeating: 0, count: -name.count & 7) }

  @Test func everyOctetInEveryLane() {
    for value in 0...255 as ClosedRange<UInt8> {
      for lane in 0..<16 {
        // Neighbours that would carry or borrow into the octet, were the lanes not apart.
        for other in [0x00, 0x40, 0x41, 0x5A, 0x5B, 0x7F, 0x80, 0xFF] as [UInt8] {
          var octets = [UInt8](repeating: other, count: 16)
          octets[lane] = value
          #expect(fold(octets).name == octets.map(lower))
        }
      }
    }
  }

  @Test func everyLength() {
    var generator = Generator(seed: 1)
    for length in 1...255 {
      let octets = generator.octets(length)
      #expect(fold(octets).name == padded(octets.map(lower)), "length \(length)")
    }
  }

  @Test func octetAtATimeIsTheSame() {
    var generator = Generator(seed: 2)
    for length in 1...255 {
      let octets = generator.octets(length)
      let bytes = arena.put(octets)
      Name.fold(bytes)
      #expect(bytes.octets == octets.map(lower))
    }
  }

  @Test func equalNamesEqualHash() {
    var generator = Generator(seed: 3)
    for length in 1...255 {
      let octets = (0..<length).map { _ in UInt8(0x61 + generator.below(26)) }
      let mixed = octets.map { generator.once(in: 2) ? $0 - 32 : $0 }
      #expect(fold(octets, salt: 7).hash == fold(mixed, salt: 7).hash)
    }
  }

  @Test func anyDifferenceAnotherHash() {
    var hashes: Set<UInt64> = []
    let base = wire("www.example.com.")
    var count = 0
    func add(_ name: [UInt8], _ salt: UInt64) {
      hashes.insert(fold(name, salt: salt).hash)
      count += 1
    }
    for bit in 0..<64 { add(base, 1 << UInt64(bit)) }
    add(base, 0)
    for at in 0..<base.count {
      for bit in 0..<8 where lower(base[at] ^ 1 << bit) != base[at] {
        var other = base
        other[at] ^= 1 << bit
        add(other.map(lower), 0)
      }
    }
    // Zeros at the end are not padding.
    for length in 1...255 { add([UInt8](repeating: 0, count: length), 0) }
    #expect(hashes.count == count)
  }

  @Test func hashesSpread() {
    // Chi-square over 256 cells at both ends and the middle: the segment and the choice of a shard use those bits.
    for shift in [0, 16, 32, 56] as [UInt64] {
      var cells = [Int](repeating: 0, count: 256)
      for number in 0..<65_536 {
        cells[Int(fold(wire("svc-\(number).default.svc.cluster.local."), salt: 1).hash >> shift & 0xFF)] += 1
      }
      let chi = cells.reduce(0.0) { $0 + (Double($1) - 256) * (Double($1) - 256) / 256 }
      #expect(chi > 150 && chi < 400, "bits from \(shift): \(chi)")
    }
  }

  @Test func anotherSecretAnotherHash() {
    let name = wire("www.example.com.")
    let hashes = [HashSecret(1, 2, 4), HashSecret(3, 2, 4), HashSecret(1, 4, 4), HashSecret(1, 2, 6)].map {
      fold(name, secret: $0).hash
    }
    #expect(Set(hashes).count == 4)
  }

  @Test func spellingComesBack() {
    var generator = Generator(seed: 4)
    for length in 1...255 {
      for _ in 0..<20 {
        // Letters mostly, and every other octet.
        let octets = (0..<length).map { _ in
          generator.once(in: 4)
            ? generator.octet() : UInt8(generator.once(in: 2) ? 0x41 : 0x61) + UInt8(generator.below(26))
        }
        let spelling = Spelling(arena.put([UInt8](repeating: 0x5A, count: 12) + octets), at: 12, length: length)
        let message = out.put([UInt8](repeating: 0x7A, count: 12) + octets.map(lower))
        spelling.apply(to: message, at: 12, length: length)
        #expect(message.octets == [UInt8](repeating: 0x7A, count: 12) + octets)
      }
    }
  }

  @Test func noSpellingIsLowerCase() {
    let message = out.put([UInt8](repeating: 0x61, count: 267))
    Spelling().apply(to: message, at: 12, length: 255)
    #expect(message.octets.allSatisfy { $0 == 0x61 })
  }
}
