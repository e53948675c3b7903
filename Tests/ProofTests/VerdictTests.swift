import S3DevServer
import Testing

@testable import Proof

/// A verdict that finds nothing is worth what it would have found.
@Suite struct VerdictTests {
    @Test func `a run in which all went well has no violation, and every invariant was asked of something`() {
        let verdict = Verdict(on: Scene().evidence)
        #expect(verdict.violations.isEmpty, "\(verdict.violations)")
        #expect(verdict.isClean)
        #expect(verdict.checked.values.allSatisfy { $0 > 0 }, "\(verdict.checked)")
    }

    private static let doctored: [(what: String, invariant: Verdict.Invariant, doctor: @Sendable (inout Scene) -> Void)] = [
        ("an enqueued upload without a row", .committedIsKept, { $0.evidence.rows.removeFirst() }),
        ("an enqueued upload that failed", .committedIsStored, { $0.evidence.rows[0].status = "failed" }),
        ("an enqueued upload that expired", .committedIsStored, { $0.evidence.rows[0].status = "expired" }),
        ("a stored upload without an object", .storedHasObject, { $0.evidence.objects.removeFirst() }),
        ("other bytes than the verified ones", .storedHasObject, { $0.evidence.objects[0].md5 = "md5-9" }),
        ("bytes that were verified and never posted", .storedHasObject, { $0.evidence.testimonies[0].posted = ["md5-9"] }),
        ("half of the bytes", .storedHasObject, { $0.evidence.objects[0].size = 1 }),
        ("another type", .storedHasObject, { $0.evidence.objects[0].contentType = "text/html" }),
        ("another name", .storedHasObject, { $0.evidence.objects[0].contentDisposition = "inline" }),
        (
            "two objects of one upload", .storedHasObject,
            { scene in
                var copy = scene.evidence.objects[0]
                copy.key = "stored/f1_x.bin"
                scene.evidence.objects.append(copy)
            }
        ),
        (
            "a cancelled upload that was retried, and is cancelled", .committedIsStored,
            { scene in
                scene.evidence.testimonies[1].kind = .retried
                scene.evidence.testimonies[1].answers.append(.retried(upload: Scene.cancelled))
            }
        ),
        ("a cancelled upload that failed", .withdrawnHasNone, { $0.evidence.rows[1].status = "failed" }),
        (
            "an object of an upload that was rolled back", .withdrawnHasNone,
            { $0.evidence.objects.append(.init(key: "stored/f3.bin", size: 3, md5: "md5-3", stamp: Scene.rolledBack)) }
        ),
        ("a row of an upload that was rolled back", .withdrawnHasNone, { $0.evidence.rows[2].status = "stored" }),
        (
            "an object of an upload that was cancelled before it moved", .withdrawnHasNone,
            { $0.evidence.objects.append(.init(key: "stored/f2.bin", size: 3, md5: "md5-2", stamp: Scene.cancelled)) }
        ),
        (
            "an object of nobody", .objectsAreOfStored,
            { $0.evidence.objects.append(.init(key: "stored/f9.bin", size: 3, md5: "md5-9")) }
        ),
        ("a tmp object deleted while it was moved", .tmpOutlivesItsUpload, { $0.append(1_250, .delete, Scene.tmpKey(1)) }),
        (
            "a tmp object deleted before the commit of stored", .tmpOutlivesItsUpload,
            { $0.append(1_399, .delete, Scene.tmpKey(1)) }
        ),
        ("a tmp object deleted before it was marked", .tmpOutlivesItsUpload, { $0.append(1_499, .delete, Scene.tmpKey(4)) }),
        (
            "a failed upload's tmp object deleted within its week", .tmpOutlivesItsUpload,
            { scene in
                scene.evidence.events[4].status = "failed"
                scene.evidence.failedAreKeptUntil = 1_601
            }
        ),
        ("a tmp object deleted without a mark", .tmpOutlivesItsUpload, { $0.evidence.rows.removeLast() }),
        ("a stored object put again", .nothingIsOverwritten, { $0.append(1_401, .put, "stored/f1.bin") }),
        ("a copy taken back before it is stored", .nothingIsOverwritten, { $0.append(1_350, .delete, "stored/f1.bin") }),
        (
            "a mended upload that was retried, and failed again", .committedIsStored,
            { scene in
                scene.evidence.testimonies[0].kind = .mended
                scene.evidence.rows[0].status = "failed"
                scene.evidence.rows[0].errorCode = "source_changed"
                scene.evidence.events[0].status = "failed"
            }
        ),
        ("a stored object deleted", .nothingIsOverwritten, { $0.append(1_401, .delete, "stored/f1.bin") }),
        (
            "an object put at another's key", .nothingIsOverwritten,
            { $0.evidence.journal[5].metadata = ["s3file-upload": Scene.cancelled] }
        ),
        ("a settle by a worker that did not begin", .statusesMoveForward, { $0.evidence.events[4].worker = 7 }),
        ("a settle of an earlier attempt", .statusesMoveForward, { $0.evidence.events[4].attempt = 1 }),
        ("an attempt that is counted twice", .statusesMoveForward, { $0.evidence.events[2].attempt = 1 }),
        ("an attempt that begins while another is under way", .statusesMoveForward, { $0.evidence.events.remove(at: 1) }),
        (
            "something after the end", .statusesMoveForward,
            {
                $0.evidence.events.append(
                    .init(number: 9, upload: Scene.stored, status: "queued", attempt: 2, worker: nil, committedAt: 9_000)
                )
            }
        ),
        ("an end without an event", .statusesMoveForward, { $0.evidence.events.remove(at: 3) }),
        ("an upload that waits", .everythingEnds, { $0.evidence.rows[0].status = "queued" }),
        ("a job that waits for too long", .everythingEnds, { $0.evidence.waitingTooLong = [Scene.stored] }),
        ("a job that is left", .everythingEnds, { $0.evidence.jobs = [Scene.stored] }),
        ("a job of nobody", .everythingEnds, { $0.evidence.jobs = [Scene.rolledBack] }),
        (
            "a tmp object that is left", .tmpIsGone,
            { $0.evidence.objects.append(.init(key: Scene.tmpKey(4), size: 3, md5: "md5-4")) }
        ),
        ("a deletion that is left", .tmpIsGone, { $0.evidence.deletionsLeft = [Scene.stored] }),
        ("a sentinel with other bytes", .nothingElseIsTouched, { $0.evidence.objects[1].md5 = "md5-9" }),
        ("a sentinel that is gone", .nothingElseIsTouched, { $0.evidence.objects.removeLast() }),
        ("a sentinel that was put again as it was", .nothingElseIsTouched, { $0.append(2_000, .put, "other") }),
        ("an object at a key of nobody that is gone again", .nothingElseIsTouched, { $0.append(2_000, .delete, "stored/x") }),
    ]

    @Test(arguments: Self.doctored.indices)
    func `each kind of violation is found, with what led to it`(_ index: Int) {
        let (what, invariant, doctor) = Self.doctored[index]
        var scene = Scene()
        doctor(&scene)
        let verdict = Verdict(on: scene.evidence)
        #expect(verdict.violations.contains { $0.invariant == invariant }, "\(what): \(scene.violated)")
        #expect(verdict.violations.allSatisfy { !$0.about.isEmpty && !$0.what.isEmpty })
    }

    @Test func `every invariant is violated by some doctoring`() {
        #expect(Set(Self.doctored.map(\.invariant)) == Set(Verdict.Invariant.allCases))
    }

    @Test
    func `a copy that a cancelled attempt left goes with the tmp object, and is a remark only before, or when it came after`() {
        var scene = Scene()
        scene.evidence.events[3] = .init(
            number: 4,
            upload: Scene.cancelled,
            status: "moving",
            attempt: 1,
            worker: 7,
            committedAt: 1_300
        )
        scene.evidence.events.append(
            .init(number: 6, upload: Scene.cancelled, status: "cancelled", attempt: 1, worker: nil, committedAt: 1_450)
        )
        scene.evidence.objects.append(.init(key: "stored/f2.bin", size: 3, md5: "md5-2", stamp: Scene.cancelled))
        #expect(scene.violated == [.objectsAreOfStored])
        var unswept = scene
        unswept.evidence.isSwept = false
        scene.append(1_700, .put, "stored/f2.bin")
        scene.evidence.journal[scene.evidence.journal.count - 1].metadata = ["s3file-upload": Scene.cancelled]
        for scene in [unswept, scene] {
            let verdict = Verdict(on: scene.evidence)
            #expect(verdict.isClean, "\(verdict.violations)")
            #expect(verdict.remarks.count == 1)
        }
    }

    @Test func `where nothing is swept a tmp object may be left by whoever was not stored, and by nobody else`() {
        var scene = Scene()
        scene.evidence.isSwept = false
        let left = Evidence.Object(key: Scene.tmpKey(2), size: 3, md5: "md5-2")
        scene.evidence.objects.append(left)
        #expect(Verdict(on: scene.evidence).isClean, "\(scene.violated)")
        scene.evidence.objects.append(.init(key: Scene.tmpKey(1), size: 3, md5: "md5-1"))
        #expect(scene.violated.contains(.tmpIsGone))
        // Changed afterwards: it was put there again.
        scene.evidence.testimonies[0].kind = .changed
        #expect(!scene.violated.contains(.tmpIsGone))
    }

    @Test func `a journal that tells no metadata is believed for what it tells`() {
        var scene = Scene()
        for index in scene.evidence.journal.indices { scene.evidence.journal[index].metadata = nil }
        #expect(Verdict(on: scene.evidence).isClean, "\(scene.violated)")
    }
}
