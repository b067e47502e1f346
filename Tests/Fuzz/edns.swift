/// The octets as the options of an OPT record, in a client's query and in an upstream's response.
func fuzzEDNS(_ input: [UInt8]) {
  let options = input.prefix(60_000)
  let question: [UInt8] = [1, 0x61, 0, 0, 1, 0, 1]
  let length = [UInt8(truncatingIfNeeded: options.count >> 8), UInt8(truncatingIfNeeded: options.count)]
  let opt: [UInt8] = [0, 0, 41, 4, 0xD0, 0, 0, 0, 0] + length + options
  withBlock([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1] + question + opt, fuzzQuery)
  withBlock([0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 1] + question + opt, fuzzResponse)
}
