import CTLS

/// SHA-512 (FIPS 180-4), as OpenSSL has it.
public enum SHA512 {
  /// The digest of some octets, 128 digits in lower case.
  public static func hex(_ octets: some Sequence<UInt8>) -> String {
    let octets = Array(octets)
    var digest = [UInt8](repeating: 0, count: Int(CTLS_SHA512))
    unsafe ctls_sha512(octets, octets.count, &digest)
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
