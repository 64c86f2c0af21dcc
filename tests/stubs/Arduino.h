#pragma once
struct SerialPort {
  void begin(unsigned long);
  explicit operator bool() const;
  void print(const char*);
  void print(int);
  void println(unsigned long);
};
extern SerialPort Serial;
void delay(unsigned long);
unsigned long micros();
