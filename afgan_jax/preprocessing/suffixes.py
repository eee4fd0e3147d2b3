"""Knows image files by their names."""

import pathlib

# Read by Pillow. Several are the habits of cameras and browsers.
EXTENSIONS = (
  *('.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.jif', '.mpo'),
  *('.bmp', '.dib', '.tif', '.tiff', '.webp', '.gif', '.avif'),
  *('.pgm', '.ppm', '.pbm', '.pnm', '.pfm', '.tga', '.pcx', '.sgi', '.qoi'),
  *('.jp2', '.j2k', '.jpx', '.jpf', '.jpc', '.j2c'),
)
# Images, films and archives that are not read.
_OTHERS = frozenset(
  '.heic .heif .hif .jxl .jxr .exr .hdr .dcm .dicom .psd .xcf .svg .eps .ps '
  '.pdf .raw .dng .nef .cr2 .cr3 .crw .arw .orf .rw2 .raf .srw .pef .bayer '
  '.btf .tf8 .ndpi .svs .czi .lif .nd2 .vsi .fit .fits .fts .h5 .hdf .hdf5 '
  '.npy .npz .mat .nii .nrrd .mhd .ico .icns .cur .dds .ras .im .pct .pict '
  '.wmf .emf .xbm .xpm .avi .mp4 .mov .mkv .wmv .zip .tar .tgz .gz .bz2 .xz '
  '.7z .rar .lmdb .tfrecord'.split()
)
# First bytes of PNG, JPEG, BMP, TIFF, GIF, JPEG 2000 and WebP.
_MAGIC = (
  *(b'\x89PNG\r\n', b'\xff\xd8\xff', b'II*\0', b'MM\0*', b'II+\0', b'MM\0+'),
  *(b'GIF8', b'\0\0\0\x0cjP  ', b'\xff\x4f\xff\x51'),
)


def is_image_like(path: pathlib.Path) -> bool:
  """Returns True if a file seems to hold images, read or not.

  Args:
    path: of the file; it is opened only if its suffix tells nothing.
  """
  suffix = path.suffix.lower()
  if suffix in EXTENSIONS or suffix in _OTHERS:
    return True
  try:
    with path.open('rb') as file:
      head = file.read(12)
  except OSError:
    return False
  is_webp = head[:4] == b'RIFF' and head[8:] == b'WEBP'
  return is_webp or head.startswith(_MAGIC)
