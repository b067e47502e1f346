import Cache
import Memory
import Testing

/// A segment in memory that another process wrote.
@Suite final class ResumeTests {
  private let layout = Layout(success: 1 << 20, denial: 1 << 20, entries: 1000, zones: 1, secret: (1, 2))
  private let region: Region
  private let namer = Namer()

  init() {
    region = Region(size: layout.size)
    var segment = Segment(layout, memory: region.bytes)
    let staging = Region(size: 2 * 65_536)
    let (image, ttlOffsets) = Sample(seed: 1, size: 16, offsets: 0).make(staging.bytes)
    let answer = Answer.sample(1, .success, ttl: 30)
    #expect(segment.insert(namer.key(1), answer, image: image, ttlOffsets: ttlOffsets, now: 0) == .inserted)
  }

  private func isResumed(by other: Layout? = nil) -> Bool {
    guard let segment = Segment(resuming: other ?? layout, memory: region.bytes) else { return false }
    let scratch = Region(size: SegmentReader.scratchSize)
    #expect(segment.reader.lookup(namer.key(1), now: 0, scratch: scratch.bytes) != nil)
    return true
  }

  @Test func oneAtRestIsResumed() { #expect(isResumed()) }

  /// Word 32 is the mark of a change that is under way.
  @Test func oneThatIsBeingWrittenIsNot() {
    region.bytes.storeRelease(1, at: 32 * 8)
    #expect(!isResumed())
    region.bytes.storeRelease(0, at: 32 * 8)
    #expect(isResumed())
  }

  /// The first two words are what it is and the version of its layout.
  @Test(arguments: [0, 1]) func oneOfAnotherVersionIsNot(word: Int) {
    region.bytes.storeRelease(region.bytes.loadAcquire(word * 8) + 1, at: word * 8)
    #expect(!isResumed())
  }

  @Test func oneOfAnotherSizeOrSecretIsNot() {
    let sizes = Layout(success: 1 << 19, denial: 1 << 20, entries: 1000, zones: 1, secret: (1, 2))
    let secrets = Layout(success: 1 << 20, denial: 1 << 20, entries: 1000, zones: 1, secret: (1, 3))
    #expect(!isResumed(by: sizes))
    #expect(!isResumed(by: secrets))
  }

  @Test func oneThatIsCutShortIsNot() {
    let isResumed = Segment(resuming: layout, memory: region.bytes.slice(0, layout.size - 8)) != nil
    #expect(!isResumed)
  }
}
