"""Makes the pictures in this folder, and expected.txt: what Pillow reads from them.

usage: make_images.py     (needs Python 3 with numpy and Pillow; the pictures that are committed are of Pillow 13.0)

A line of expected.txt is "NAME CHANNELS HEIGHT WIDTH PIXELS", the bytes in hexadecimal with the channels side by side, or
"NAME refused WHY" for what kwta refuses rather than alter.
"""
import os
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = os.path.dirname(os.path.abspath(__file__))
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
HEIGHT, WIDTH = 5, 7
lines = []


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(numbers, depth):
    """Lines of numbers [height, width, channels] as PNG packs them, each after a filter byte."""
    out = b""
    for line in numbers.reshape(numbers.shape[0], -1):
        if depth == 16:
            data = line.astype(">u2").tobytes()
        else:
            bits = ((line[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            data = np.packbits(bits.reshape(-1)).tobytes()
        out += b"\0" + data
    return out


def png(name, kind, depth, numbers=None, chunks=(), interlaced=False, why=None):
    rng = np.random.default_rng(len(lines))
    shape = (HEIGHT, WIDTH, CHANNELS[kind])
    if numbers is None:
        numbers = rng.integers(0, 1 << min(depth, 8), shape) * (257 if depth == 16 else 1)
    passes = [numbers[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [numbers]
    data = b"".join(packed(part, depth) for part in passes if part.size)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, interlaced))
    for extra in chunks:
        out += chunk(*extra)
    if kind == PALETTE and not any(extra[0] == b"PLTE" for extra in chunks):
        out += chunk(b"PLTE", rng.integers(0, 256, 3 << depth).astype(np.uint8).tobytes())
    if why == "transparency" and kind in (GREY, RGB, PALETTE):
        out += chunk(b"tRNS", b"\0\1" if kind == GREY else b"\0\1\0\2\0\3" if kind == RGB else b"\x80")
    out += chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(out)
    expect(name, why)


def jpeg(name, mode, why=None, **options):
    y, x = np.mgrid[0:13, 0:19]
    planes = [(x * 13 + y * (5 + 3 * c)) % 256 for c in range(len(mode))] if mode != "L" else [(x * 11 + y * 17) % 256]
    Image.fromarray(np.dstack(planes).squeeze().astype(np.uint8), mode).save(os.path.join(FOLDER, name), **options)
    expect(name, why)


def expect(name, why):
    if why:
        lines.append(f"{name} refused {why}")
        return
    image = Image.open(os.path.join(FOLDER, name))
    if image.mode.startswith("I"):  # 16 bits
        pixels = np.asarray(image).astype(np.int64)
        assert (pixels % 257 == 0).all()
        pixels = (pixels // 257).astype(np.uint8)
    else:
        grey = image.mode in ("1", "L")
        if image.mode == "P" and name.endswith(".bmp"):  # which has no other way to say grey
            colours = np.asarray(image.getpalette()).reshape(-1, 3)
            grey = (colours == colours[:, :1]).all()
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
    channels = 1 if pixels.ndim == 2 else 3
    lines.append(f"{name} {channels} {pixels.shape[0]} {pixels.shape[1]} {pixels.tobytes().hex()}")


for depth in (1, 2, 4, 8, 16):
    png(f"grey-{depth}.png", GREY, depth)
    png(f"grey-{depth}-interlaced.png", GREY, depth, interlaced=True)
    png(f"grey-{depth}-transparent-value.png", GREY, depth, why="transparency")
for depth in (1, 2, 4, 8):
    png(f"palette-{depth}.png", PALETTE, depth)
    png(f"palette-{depth}-interlaced.png", PALETTE, depth, interlaced=True)
    png(f"palette-{depth}-transparent-entry.png", PALETTE, depth, why="transparency")
for depth in (8, 16):
    png(f"rgb-{depth}.png", RGB, depth)
    png(f"rgb-{depth}-interlaced.png", RGB, depth, interlaced=True)
    png(f"rgb-{depth}-transparent-value.png", RGB, depth, why="transparency")
    png(f"grey-alpha-{depth}.png", GREY_ALPHA, depth, why="transparency")
    png(f"rgba-{depth}.png", RGBA, depth, why="transparency")
png("grey-16-full.png", GREY, 16, np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1) * 1234, why="16 bits a channel")
png("rgb-16-full.png", RGB, 16, np.arange(HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3) * 623, why="16 bits a channel")

GAMMA = (b"gAMA", struct.pack(">I", 100000))
STEEP = (b"gAMA", struct.pack(">I", 45455 * 3))
SRGB = (b"sRGB", b"\0")
CHROMATICITIES = (b"cHRM", struct.pack(">8I", 34570, 35850, 73470, 26530, 11540, 87690, 3660, 10500))
PROFILE = (b"iCCP", b"profile\0\0" + zlib.compress(b"no profile"))
BACKGROUND = (b"bKGD", b"\0\x55")
SIGNIFICANT = (b"sBIT", b"\4")
ROTATED = (b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0")
for depth in (4, 8, 16):
    for label, chunks in (("gamma", [GAMMA]), ("steep", [STEEP]), ("srgb", [SRGB]), ("chrm", [GAMMA, CHROMATICITIES])):
        png(f"grey-{depth}-{label}.png", GREY, depth, chunks=chunks)
png("rgb-8-gamma.png", RGB, 8, chunks=[GAMMA])
png("rgb-8-chrm.png", RGB, 8, chunks=[STEEP, CHROMATICITIES])
png("rgb-16-gamma.png", RGB, 16, chunks=[GAMMA])
png("rgb-8-profile.png", RGB, 8, chunks=[PROFILE])
png("rgb-8-rotated.png", RGB, 8, chunks=[ROTATED])
png("palette-8-gamma.png", PALETTE, 8, chunks=[GAMMA])
png("grey-8-background.png", GREY, 8, chunks=[BACKGROUND])
png("grey-8-significant.png", GREY, 8, chunks=[SIGNIFICANT])

ORIENTATION = Image.Exif()
ORIENTATION[0x0112] = 6
jpeg("grey.jpg", "L", quality=90)
jpeg("grey-progressive.jpg", "L", quality=90, progressive=True)
jpeg("rgb-444.jpg", "RGB", quality=90, subsampling=0)
jpeg("rgb-422.jpg", "RGB", quality=90, subsampling=1)
jpeg("rgb-420.jpg", "RGB", quality=75, subsampling=2)
jpeg("rgb-420-progressive.jpg", "RGB", quality=75, subsampling=2, progressive=True)
jpeg("rgb-untransformed.jpg", "RGB", quality=90, keep_rgb=True)
jpeg("rgb-restarts.jpg", "RGB", quality=90, restart_marker_blocks=2)
jpeg("rgb-rotated.jpg", "RGB", quality=90, exif=ORIENTATION)
jpeg("cmyk.jpg", "CMYK", quality=90, why="4 channels")



def webp(name, mode, why=None, frames=1, **options):
    y, x = np.mgrid[0:13, 0:19]
    pictures = []
    for frame in range(frames):
        planes = [(x * 13 + y * (5 + 3 * c) + 40 * frame) % 256 for c in range(len(mode))]
        pictures.append(Image.fromarray(np.dstack(planes).astype(np.uint8), mode))
    more = {"save_all": True, "append_images": pictures[1:]} if frames > 1 else {}
    pictures[0].save(os.path.join(FOLDER, name), **options, **more)
    expect(name, why)


def bmp(name, bits, why=None, palette=None, top_down=False, header=40, compression=0, masks=(), data=None):
    """A BMP file of HEIGHT x WIDTH pixels; `palette` holds blue, green and red of each entry."""
    rng = np.random.default_rng(len(lines))
    line = (WIDTH * bits + 31) // 32 * 4
    if data is None:
        numbers = rng.integers(0, 256, (HEIGHT, line)).astype(np.uint8)
        if palette is not None:  # only numbers that the palette has
            bytes_of = rng.integers(0, len(palette), (HEIGHT, line * 8 // bits)).astype(np.uint8)
            unpacked = (bytes_of[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
            numbers = np.packbits(unpacked.reshape(HEIGHT, -1), axis=1)
        data = numbers.tobytes()
    entries = b"" if palette is None else b"".join(bytes(entry) + (b"" if header == 12 else b"\0") for entry in palette)
    fields = struct.pack("<I", header)
    if header == 12:
        fields += struct.pack("<HHHH", WIDTH, HEIGHT, 1, bits)
    else:
        height = -HEIGHT if top_down else HEIGHT
        fields += struct.pack("<iiHHIIiiII", WIDTH, height, 1, bits, compression, len(data), 2835, 2835, len(palette or ()), 0)
    masks = struct.pack(f"<{len(masks)}I", *masks)
    fields = (fields + masks).ljust(header, b"\0") + entries
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(b"BM" + struct.pack("<IHHI", 14 + len(fields) + len(data), 0, 0, 14 + len(fields)) + fields + data)
    expect(name, why)


webp("rgb-lossless.webp", "RGB", lossless=True)
webp("rgb-lossy.webp", "RGB", quality=80)
webp("rgb-lossy-sharp.webp", "RGB", quality=95, use_sharp_yuv=True)
webp("rgba-lossless.webp", "RGBA", lossless=True, why="transparency")
webp("rgba-lossy.webp", "RGBA", quality=80, why="transparency")
webp("rgb-animated.webp", "RGB", frames=2, lossless=True, why="is an animation")

COLOURS = [(17 * i % 256, 31 * i % 256, 7 * i % 256) for i in range(256)]
GREYS = [(i, i, i) for i in range(256)]
bmp("palette-1.bmp", 1, palette=[(3, 200, 90), (250, 4, 7)])
bmp("palette-4.bmp", 4, palette=COLOURS[:16])
bmp("palette-8.bmp", 8, palette=COLOURS)
bmp("palette-8-short.bmp", 8, palette=COLOURS[:100])
bmp("palette-8-core.bmp", 8, palette=COLOURS, header=12)
bmp("grey-1.bmp", 1, palette=[(0, 0, 0), (255, 255, 255)])
bmp("grey-4.bmp", 4, palette=[(17 * i,) * 3 for i in range(16)])
bmp("grey-8.bmp", 8, palette=GREYS)
bmp("grey-8-inverse.bmp", 8, palette=GREYS[::-1])
bmp("grey-8-top-down.bmp", 8, palette=GREYS, top_down=True)
bmp("rgb-24.bmp", 24)
bmp("rgb-24-core.bmp", 24, header=12)
bmp("rgb-24-top-down.bmp", 24, top_down=True)
bmp("rgb-24-v5.bmp", 24, header=124)
bmp("rgb-32.bmp", 32)
bmp("rgb-32-masks.bmp", 32, compression=3, header=56, masks=(0xFF0000, 0xFF00, 0xFF))
bmp("rgb-32-masks-swapped.bmp", 32, compression=3, header=56, masks=(0xFF000000, 0xFF0000, 0xFF00))
bmp("rgba-32.bmp", 32, compression=3, header=124, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), why="transparency")
bmp("rgb-16.bmp", 16, why="16 bits a pixel")
bmp("palette-8-rle.bmp", 8, palette=COLOURS, compression=1, data=b"\7\1\0\0" * HEIGHT + b"\0\1", why="compressed pixels")

with open(os.path.join(FOLDER, "expected.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
