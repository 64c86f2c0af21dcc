// Classifies a picture with LiteRT on iOS. Picture.swift scales it.
//
// Add the package https://github.com/google-ai-edge/LiteRT, branch release/2.3.0, product LiteRT (iOS 15,
// macOS 12), and model_int8.tflite to the app's bundle.
import CoreGraphics
import Foundation
import ImageIO
import LiteRT

struct Answer {
    let label: String
    let probability: Float
}

final class Classifier {
    static let outputScale: Float = 0.1417110711336136, outputZeroPoint = -39
    static let outputCount = 8
    static let labels = [
        "airplane",
        "automobile",
        "bird",
        "deer",
        "frog",
        "horse",
        "ship",
        "truck",
    ]

    private let model: CompiledModel
    private let inputs: [TensorBuffer], outputs: [TensorBuffer]

    init(modelPath: String) throws {
        let options = try Options()
        try options.setHardwareAccelerators([.cpu])
        model = try CompiledModel(
            filePath: modelPath, environment: try Environment(), options: options)
        inputs = try model.createInputBuffers()
        outputs = try model.createOutputBuffers()
    }

    /// Classifies the center of an image file, rotated as its EXIF data say. Returns all classes, the
    /// most probable first; nil if the file is no picture.
    func classify(contentsOf url: URL) throws -> [Answer]? {
        guard let image = Self.image(contentsOf: url) else { return nil }
        return try classify(image: image)
    }

    /// Returns the picture in an image file, rotated as its EXIF data say; nil if it is none.
    static func image(contentsOf url: URL) -> CGImage? {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true,
            kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: 16384,  // more than any camera has
        ]
        guard let source = CGImageSourceCreateWithURL(url as CFURL, nil) else { return nil }
        return CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
    }

    /// Classifies the center of an upright picture; a UIImage's orientation is not in its CGImage.
    func classify(image: CGImage) throws -> [Answer]? {
        guard let picture = Self.picture(of: image) else { return nil }
        return try classify(pixels: picture.modelPixels())
    }

    /// Returns the pixels of an image, transparent ones on white; nil if it cannot be drawn.
    static func picture(of image: CGImage) -> Picture? {
        let width = image.width, height = image.height
        var drawn = [UInt8](repeating: 255, count: height * width * 4)
        let done = drawn.withUnsafeMutableBytes { buffer -> Bool in
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: buffer.baseAddress, width: width, height: height, bitsPerComponent: 8,
                    bytesPerRow: width * 4, space: space,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { return false }
            context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
            return true
        }
        return done ? Picture(width: width, height: height, pixels: drawn) : nil
    }

    /// Returns all classes, the most probable first. `pixels` are raw bytes 0-255, row by row, red, green, blue.
    func classify(pixels: [UInt8]) throws -> [Answer] {
        let stored = try run(pixels: pixels)
        let real = stored.map { Self.outputScale * Float($0 - Self.outputZeroPoint) }
        let largest = real.max()!
        let exponentials = real.map { exp($0 - largest) }
        let sum = exponentials.reduce(0, +)
        return zip(Self.labels, exponentials)
            .map { Answer(label: $0, probability: $1 / sum) }
            .sorted { $0.probability > $1.probability }
    }

    /// Returns the stored outputs for raw bytes, to compare with golden/outputs.bin.
    func run(pixels: [UInt8]) throws -> [Int] {
        precondition(pixels.count == Picture.height * Picture.width * Picture.channels)
        // The model takes `pixel - 128`: the bits of the pixel with the highest one flipped.
        try inputs[0].write(pixels.map { $0 ^ 0x80 })
        try model.run(inputs: inputs, outputs: outputs)
        let stored: [Int8] = try outputs[0].read()
        return stored.map { Int($0) }
    }
}
